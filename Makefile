# What is typed most. Each target begins by installing what is missing (scripts/setup), so that none needs another first.
#
#   make demo DEMO_ARGS='--seconds 20'     arguments for `mitoyen demo`
#   make test PYTEST_ARGS='-k ledger -x'   arguments for pytest
#   make test PARALLEL=                    one file after the other, not two at a time
#   make faults FAULTS_ARGS='--short killed'   cases, and how long each takes
#   make soak SOAK_ARGS='--minutes 5'       a shorter one
#   make vulnerabilities VULNERABILITIES_ARGS=--must-answer   fail if nobody could be asked
#   make setup PYTHON=python3.13           what a new .venv is made with

PYTHON ?= python3
DEMO_ARGS ?=
PYTEST_ARGS ?=
PARALLEL ?= -n 2 --dist loadfile
BENCH_ARGS ?=
AUDIT_ARGS ?=
FAULTS_ARGS ?=
VULNERABILITIES_ARGS ?=
SOAK_ARGS ?=
export PYTHON

.PHONY: help setup demo setup-test check vulnerabilities reference test test-all bench bench-revocation audit bench-sensorthings faults cluster faults-cluster bench-portal screenshots soak lock

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s%s\n", $$1, $$2 }' Makefile

setup: ## install what is missing to run: Mosquitto, .venv with .venv/bin/mitoyen, the portal
	@scripts/setup run

demo: setup ## start everything with a simulated city, and print the portal's address
	.venv/bin/mitoyen demo $(DEMO_ARGS)

setup-test: ## install what is missing to test as well: InfluxDB, Chromium, the checkers
	@scripts/setup test

check: setup-test ## run the static checks only
	scripts/check

vulnerabilities: setup-test ## ask the registries for known vulnerabilities of what is locked
	@.venv/bin/python scripts/vulnerabilities.py $(VULNERABILITIES_ARGS)

reference: setup ## write docs/reference anew from the calls and topics as the code has them
	@scripts/reference

test: check vulnerabilities ## run the checks and the tests, on real servers
	.venv/bin/pytest -m 'not long' $(PARALLEL) $(PYTEST_ARGS)

test-all: check vulnerabilities ## run the tests that take minutes as well
	.venv/bin/pytest $(PYTEST_ARGS)

bench: setup-test ## take every measurement that has a goal: an hour, on a machine that does nothing else
	.venv/bin/python -m bench $(BENCH_ARGS)

bench-revocation: setup-test ## measure from the end of a licence to the last delivery under it: 200 each way, 20 minutes
	.venv/bin/python -m bench.revocation $(BENCH_ARGS)

audit: setup-test ## attack every profile on a simulated city, and write the table in docs/privacy.md; fails if a recommended one leaks
	.venv/bin/pytest tests/core/test_keeper.py -k 200_crashes
	.venv/bin/python -m bench.audit --write $(AUDIT_ARGS)

bench-sensorthings: setup-test ## measure /v1.1 with 10,000 datastreams and 10 million observations: 5 minutes
	.venv/bin/python -m bench.sensorthings $(BENCH_ARGS)

faults: setup-test ## break what can break while messages flow, and reconcile: an hour; as root, for small disks
	.venv/bin/python -m bench.faults $(FAULTS_ARGS)

cluster: setup-test ## run a city that outgrew one machine on this one: three NATS servers, two edges, three workers, PostgreSQL, InfluxDB
	.venv/bin/python -m bench.cluster

faults-cluster: setup-test ## kill what a cluster stands on while publishers wait for receipts, and reconcile: ten minutes
	.venv/bin/python -m bench.cluster.faults $(FAULTS_ARGS)

bench-portal: setup-test ## measure the portal with 20,000 datastreams on its map: first paint, and the answer to each interaction
	.venv/bin/python -m bench.portal $(BENCH_ARGS)

screenshots: setup-test ## take the pictures of docs/portal.md anew, of a simulated city
	.venv/bin/python -m bench.screenshots

soak: setup-test ## half of what the broker takes for half an hour: nothing lost, memory flat, no descriptor leaked
	.venv/bin/python -m bench.soak $(SOAK_ARGS)

lock: setup-test ## pin the newest version of every Python package
	.venv/bin/pip install --quiet --upgrade --upgrade-strategy eager --editable '.[dev]'
	{ echo '# Written by `make lock`: what scripts/setup installs.'; .venv/bin/pip freeze --exclude-editable; } >requirements.lock
