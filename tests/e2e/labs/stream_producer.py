"""The first lab's producer: a JSON event every so often to event-stream, made by its first record.

  stream_producer.py [--broken-every N] [--count N] [--first N] [--pause SECONDS]
With --broken-every, each N-th record is no JSON: the assignment's producer.
"""
import json
import random
import sys
import time

from kafka import KafkaProducer

from options import options

chosen = options(sys.argv[1:], bootstrap=None, broken_every=0, count=100, pause=0.0, first=0)
producer = KafkaProducer(bootstrap_servers=[chosen.bootstrap])

for number in range(chosen.first, chosen.first + chosen.count):
    if chosen.broken_every and number % chosen.broken_every == 0:
        value = f"{{broken {number}"
    else:
        value = json.dumps({"event_id": number, "user": random.choice("ABC"), "action": "click"})
    producer.send("event-stream", value=value.encode("utf-8"))
    producer.flush()
    print(f"sent {number}", flush=True)
    time.sleep(chosen.pause)
