"""Tests of ovsdb-lite as a server; run by ../ovsdb_clients.py."""
