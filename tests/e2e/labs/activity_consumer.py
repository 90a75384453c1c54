"""The second lab's consumer, of user_activity_group.

  activity_consumer.py [--manual 1] [--count N] [--seek N]
With --manual it commits what it has read; with --seek it reads the first partition from there.
"""
import json
import sys

from kafka import KafkaConsumer, TopicPartition

from options import options

chosen = options(sys.argv[1:], bootstrap=None, manual=0, count=0, seek=-1)
consumer = KafkaConsumer(*([] if chosen.seek >= 0 else ["user_activity"]),
                         bootstrap_servers=[chosen.bootstrap], group_id="user_activity_group",
                         auto_offset_reset="earliest", enable_auto_commit=not chosen.manual,
                         value_deserializer=lambda value: json.loads(value.decode("utf-8")))
if chosen.seek >= 0:
    partition = TopicPartition("user_activity", 0)
    consumer.assign([partition])
    consumer.seek(partition, chosen.seek)

try:
    for number, message in enumerate(consumer, start=1):
        print(f"read partition={message.partition} offset={message.offset} "
              f"action={message.value['action']}", flush=True)
        if chosen.manual:
            consumer.commit()
        if number == chosen.count:
            break
except KeyboardInterrupt:
    pass
finally:
    consumer.close()
