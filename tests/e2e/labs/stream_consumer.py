"""The first lab's consumer: one of the group event-group, which prints each record and its partition.

Its assignment: what is no JSON goes to event-stream-dlq, and the consumer goes on.
"""
import json
import sys

from kafka import KafkaConsumer, KafkaProducer

from options import options

chosen = options(sys.argv[1:], bootstrap=None)
consumer = KafkaConsumer("event-stream", bootstrap_servers=[chosen.bootstrap],
                         auto_offset_reset="earliest", enable_auto_commit=True,
                         group_id="event-group")
dlq = KafkaProducer(bootstrap_servers=[chosen.bootstrap])
print("ready", flush=True)

try:
    for message in consumer:
        try:
            data = json.loads(message.value.decode("utf-8"))
            print(f"read partition={message.partition} offset={message.offset} "
                  f"event={data['event_id']}", flush=True)
        except json.JSONDecodeError:
            dlq.send("event-stream-dlq", value=message.value)
            dlq.flush()
            print(f"dlq partition={message.partition} offset={message.offset}", flush=True)
except KeyboardInterrupt:
    pass
finally:
    consumer.close()
    dlq.close()
