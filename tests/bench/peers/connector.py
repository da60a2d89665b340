"""The connector's configuration for Debezium's JDBC sink: connector.py NAME TOPIC DATABASE_URL [SETTING=VALUE…], as JSON for Connect's REST.

The messages are plain JSON objects; their schema is given once (schema.content), not with every message.
"""
import json
import sys
from urllib.parse import urlsplit

name, topic, url = sys.argv[1:4]
at = urlsplit(url)


def field(name, kind, logical=None):
    return {"field": name, "type": kind, "optional": False, **({"name": logical} if logical else {})}


SCHEMA = {"type": "struct", "optional": False, "name": "chat", "fields": [
    field("tenant", "string"), field("id", "string"), field("rev", "int64"), field("session", "string"),
    field("role", "string"), field("content", "string"), field("at", "string", "io.debezium.time.ZonedTimestamp"),
    field("tokens", "int32"), field("model", "string"), field("flags", "string", "io.debezium.data.Json")]}

print(json.dumps({"name": name, "config": {
    "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
    "tasks.max": "2",
    "topics": topic,
    "connection.url": f"jdbc:postgresql://{at.hostname}:{at.port}{at.path}",
    "connection.username": at.username,
    "connection.password": at.password,
    "collection.name.format": "chat",
    "insert.mode": "upsert",
    "primary.key.mode": "record_value",
    "primary.key.fields": "tenant,id",
    "schema.evolution": "none",
    "batch.size": "2000",
    "consumer.override.max.poll.records": "2000",
    "consumer.override.auto.offset.reset": "earliest",
    "dialect.postgres.unnest.insert.enabled": "true",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "true",
    "value.converter.schema.content": json.dumps(SCHEMA),
    "errors.tolerance": "none",
    **dict(setting.split("=", 1) for setting in sys.argv[4:]),
}}))
