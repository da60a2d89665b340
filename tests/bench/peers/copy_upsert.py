"""The script somebody writes who knows COPY: confluent-kafka and psycopg 3, batches of 2,000 as they came into a staging table, then
one upsert that takes them apart and keeps the greater version; offsets are committed after the rows. Several of it share the topic as
one group. Taking records apart in Python and copying columns was tried: a little more CPU in all, on both sides.

    copy_upsert.py TOPIC GROUP      (KAFKA_BROKERS, DATABASE_URL)      ends at the topic's end, when nothing has come for 5 s
"""
import os
import sys

import psycopg
from confluent_kafka import Consumer, KafkaError

COLUMNS = ("tenant", "id", "rev", "session", "role", "content", "at", "tokens", "model", "flags")
NAMES = ", ".join(COLUMNS)
UPSERT = (f"INSERT INTO chat ({NAMES}) SELECT DISTINCT ON (tenant, id) {NAMES.replace('flags', 'flags::jsonb')} FROM stage, jsonb_to_record(doc) "
          "AS r(tenant text, id text, rev int8, session text, role text, content text, at timestamptz, tokens int4, model text, flags text) "
          "ORDER BY tenant, id, rev DESC ON CONFLICT (tenant, id) DO UPDATE SET "
          + ", ".join(f"{name} = EXCLUDED.{name}" for name in COLUMNS[2:]) + " WHERE chat.rev < EXCLUDED.rev")


def write(connection, messages):
    with connection.transaction(), connection.cursor() as cursor:
        with cursor.copy("COPY stage FROM STDIN (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')") as copy:
            copy.write(b"\n".join(message.value() for message in messages) + b"\n")
        cursor.execute(UPSERT)
        cursor.execute("TRUNCATE stage")


def main(topic, group):
    connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    connection.execute("CREATE TEMP TABLE stage (doc jsonb)")
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
