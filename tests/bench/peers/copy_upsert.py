"""The script somebody writes who knows COPY: confluent-kafka and psycopg 3, batches of 2,000 into a staging table, then one upsert
that keeps the greater version; offsets are committed after the rows. Several of it share the topic as one group.

    copy_upsert.py TOPIC GROUP      (KAFKA_BROKERS, DATABASE_URL)      ends at the topic's end, when nothing has come for 5 s
"""
import json
import os
import sys

import psycopg
from confluent_kafka import Consumer, KafkaError

COLUMNS = ("tenant", "id", "rev", "session", "role", "content", "at", "tokens", "model", "flags")
NAMES = ", ".join(COLUMNS)
UPSERT = (f"INSERT INTO chat ({NAMES}) SELECT {NAMES} FROM stage ORDER BY tenant, id ON CONFLICT (tenant, id) DO UPDATE SET "
          + ", ".join(f"{name} = EXCLUDED.{name}" for name in COLUMNS[2:]) + " WHERE chat.rev < EXCLUDED.rev")


def write(connection, messages):
    rows = {}
    for message in messages:
        row = json.loads(message.value())
        key = row["tenant"], row["id"]
        if key not in rows or rows[key]["rev"] < row["rev"]:
            rows[key] = row
    with connection.transaction(), connection.cursor() as cursor:
        with cursor.copy(f"COPY stage ({NAMES}) FROM STDIN") as copy:
            for row in rows.values():
                copy.write_row([row[name] for name in COLUMNS])
        cursor.execute(UPSERT)
        cursor.execute("TRUNCATE stage")


def main(topic, group):
    connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    connection.execute("CREATE TEMP TABLE stage (LIKE chat)")
    consumer = Consumer({"bootstrap.servers": os.environ["KAFKA_BROKERS"], "group.id": group, "auto.offset.reset": "earliest",
                         "enable.auto.commit": False, "enable.partition.eof": True})
    consumer.subscribe([topic])
    idle, at_end = 0, set()
    while idle < 5 or at_end < {part.partition for part in consumer.assignment()}:
        polled = consumer.consume(2000, timeout=1)
        messages = [message for message in polled if not message.error()]
        at_end |= {message.partition() for message in polled if message.error() and message.error().code() == KafkaError._PARTITION_EOF}
        if messages:
            write(connection, messages)
            consumer.commit(asynchronous=True)
        idle = 0 if polled or not consumer.assignment() else idle + 1
    consumer.close()


main(*sys.argv[1:3])
