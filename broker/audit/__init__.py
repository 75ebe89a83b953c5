"""What a curious reader makes of a release: attacks, each beside chance and beside the raw data. All pure.

`suite.py` plays them against what the product's own release code shows (`shown.py`), and says what each achieved (`finding.py`), also in words (`plain.py`). The
attacks know nothing of the broker, only columns: `unicity.py`, `linking.py`, `differencing.py`, `membership.py`, `names.py`.
"""
