"""The example's files as the rows they should be, and the rows there are, by a path that knows nothing of Drover's code."""
import json
import os
import subprocess
from decimal import Decimal
from pathlib import Path

TABLES = {"user": "app_user", "project": "app_project", "chat": "app_chat"}


def psql(query):
    """Rows of one JSON value each, as PostgreSQL prints it. Numbers stay exact."""
    said = subprocess.run(["psql", os.environ["SHADOW_DATABASE"], "-qAt", "-v", "ON_ERROR_STOP=1", "-c", query],
                          check=True, capture_output=True, text=True).stdout
    return [json.loads(line, parse_float=Decimal) for line in said.splitlines()]


def entity_of(file):
    return "chat" if file.name.startswith("chat-") else file.stem[:-1]


def source_rows(data):
    """(entity, tenant, id): what of the record has columns of its own."""
    rows = {}
    for file in Path(data).glob("*/*.json"):
        content = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
        for record in content.values() if isinstance(content, dict) else content:
            entity = entity_of(file)
            if entity == "user":
                row = {name: record.get(name) for name in ("name", "email", "plan", "settings")}
                row["active"] = record.get("active", True)
            elif entity == "project":
                row = {name: record.get(name) for name in ("title", "status", "tags", "board")}
                row["budget"] = str(Decimal(record["budget"]))
                row["version"] = record["rev"]
            else:
                row = {name: record.get(name) for name in ("role", "content", "tokens")}
            rows[entity, file.parent.name, record["id"]] = row
    return rows


QUERIES = {
    "user": "'name', name, 'email', email, 'plan', plan, 'active', active, 'settings', extra->'settings'",
    "project": "'title', title, 'status', status, 'tags', tags, 'board', extra->'board', 'budget', budget::text, "
               "'version', drover_version",
    "chat": "'role', role, 'content', content, 'tokens', tokens",
}


def stored_rows():
    rows = {}
    for entity, columns in QUERIES.items():
        gone = "drover_deleted" + (" OR status = 'deleted'" if entity == "project" else "")
        for tenant, key, row in psql(f"SELECT json_build_array(isolation_key, id, json_build_object({columns}))"
                                     f" FROM {TABLES[entity]} WHERE NOT ({gone})"):
            rows[entity, tenant, key] = row
    return rows
