"""The second lab's producer: a user's activity as JSON to user_activity, told of by a callback.

  activity_producer.py --acks all|1|0 [--sync 1] [--keyed 1] [--count N]
"""
import json
import random
import sys
import time

from kafka import KafkaProducer

from options import options

chosen = options(sys.argv[1:], bootstrap=None, acks="all", sync=0, keyed=0, count=10)
producer = KafkaProducer(bootstrap_servers=[chosen.bootstrap],
                         value_serializer=lambda value: json.dumps(value).encode("utf-8"),
                         key_serializer=lambda key: key and key.encode("utf-8"),
                         acks=chosen.acks if chosen.acks == "all" else int(chosen.acks))


def on_success(metadata):
    print(f"stored topic={metadata.topic} partition={metadata.partition} offset={metadata.offset}",
          flush=True)


def on_error(failure):
    print(f"failed {failure!r}", flush=True)


for number in range(chosen.count):
    message = {"user_id": random.randint(1, 1000), "timestamp": time.time(),
               "action": random.choice(["login", "logout", "purchase", "view"])}
    future = producer.send("user_activity", value=message,
                           key=f"user-{number % 5}" if chosen.keyed else None)
    if chosen.sync:
        on_success(future.get(timeout=10))
    else:
        future.add_callback(on_success).add_errback(on_error)
producer.flush()
producer.close()
