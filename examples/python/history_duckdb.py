"""SQL over a release's history, with duckdb.

Where duckdb may fetch its extension httpfs, `read_parquet` takes the address itself and reads only the columns that are asked for; else fetch the file first.
"""

import os
import urllib.request

import duckdb

at = f"{os.environ['BROKER']}/api/v1/releases/{os.environ['RELEASE']}/observations?format=parquet"
file, _ = urllib.request.urlretrieve(at)
hours = f"""
    SELECT date_trunc('hour', time::TIMESTAMPTZ)::TEXT AS hour, avg(value), count(*)
    FROM read_parquet('{file}') GROUP BY ALL ORDER BY 1
"""
licence = f"SELECT decode(value) FROM parquet_kv_metadata('{file}') WHERE decode(key) = 'licence'"
with duckdb.connect() as db:
    for row in db.sql(hours).fetchall():
        print(*row)
    print(*db.sql(licence).fetchall()[0])
