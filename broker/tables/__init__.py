"""What a partition remembers, as tables: in SQLite files of its home, or in PostgreSQL, where another machine finds it.

Statements are written once, in what both understand: `?` for values, `json_each(?)` for a list of them as JSON, a target with every
`on conflict`, sums cast to bigint. `sqlite.py` and `postgresql.py` fulfil `protocol.py`; `lease.py` says who may write where several could.
"""
