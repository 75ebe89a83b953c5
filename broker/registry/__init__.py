"""What is registered, agreed and recorded. `tables.py` says how it rests, `registry.py` reads and changes it,
`ledger.py` is the pure arithmetic of the public record, `migrations/` are Alembic's.
"""
