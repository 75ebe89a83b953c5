"""Hourly means of a release, with pandas: Parquet by its address, times in UTC already."""

import os

import pandas as pd

at = f"{os.environ['BROKER']}/api/v1/releases/{os.environ['RELEASE']}/observations"
found = pd.read_parquet(f"{at}?format=parquet")
print(found.dtypes)
print(found.set_index("time")["value"].resample("1h").agg(["mean", "count"]))
assert len(found) == len(pd.read_csv(f"{at}?format=csv")) == len(pd.read_json(f"{at}?format=ndjson", lines=True))
