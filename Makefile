# What a newcomer needs; `make` alone lists it. Works with GNU make 3.81 and a plain sh.
#
# FOR, SPEC, MODE and TOOL are for `make run`, PYTHON is for whatever makes .venv.

BIN := .venv/bin

.PHONY: help setup run test lint bench bench-quick soak reliability format clean

help:
	@echo 'make run       a mirror at work, on servers of its own; then look around'
	@echo '               FOR=10 ends it after ten seconds; TOOL=mitmdump instead of mitmweb'
	@echo '               SPEC=my.yaml MODE=reverse:http://localhost:3000 runs it on your own'
	@echo 'make test      runs the tests'
	@echo 'make lint      runs ruff and mypy'
	@echo 'make bench     measures what mirroring costs here, beside its peers, in half an hour'
	@echo '               (make bench-quick: the first three figures, in a minute)'
	@echo 'make soak      full speed for five minutes to servers that misbehave in every way: memory must stay'
	@echo '               (SOAK=60 for a minute)'
	@echo 'make reliability  runs the fault tests and a soak, and writes what held to docs/reliability.md'
	@echo 'make format    lets ruff lay out the code'
	@echo 'make setup     makes .venv, which the others do by themselves (PYTHON=… chooses the Python)'
	@echo 'make clean     removes what these have made'

setup:
	@./scripts/make-venv

run: setup
	@$(BIN)/python -m demo.run $(if $(FOR),--for '$(FOR)') $(if $(SPEC),--spec '$(SPEC)') \
		$(if $(MODE),--mode '$(MODE)') $(if $(TOOL),--tool '$(TOOL)')

test: setup
	$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m benchmarks --write

bench-quick: setup
	@$(BIN)/python -m benchmarks --quick

soak: setup
	@$(BIN)/python -m benchmarks.soak $(or $(SOAK),300)

reliability: setup
	@$(BIN)/python -m benchmarks.reliability $(or $(SOAK),300)

format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
