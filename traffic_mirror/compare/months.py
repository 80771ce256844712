"""The names of months that dates are written with, in the languages most often met."""

from __future__ import annotations

_NAMES = """
january jan januar jänner jän janvier janv enero ene gennaio gen janeiro januari januar styczeń stycznia
february feb februar février févr fév febrero febbraio fevereiro fev februari lutego luty
march mar märz mär mrz mars marzo março maart mrt mars marca marzec
april apr avril avr abril abr aprile kwietnia kwiecień
may mai mayo maggio mag maio mei maja maj
june jun juni juin junio giugno giu junho czerwca czerwiec
july jul juli juil juillet julio luglio lug julho lipca lipiec
august aug août aou agosto ago augustus augusti sierpnia sierpień
september sep sept septembre septiembre settembre set setembro września wrzesień
october oct oktober okt octobre octubre ottobre ott outubro out października
november nov novembre noviembre novembro listopada listopad
december dec dezember dez décembre déc diciembre dic dicembre dezembro grudnia grudzień
"""

MONTHS = {name: number for number, line in enumerate(_NAMES.strip().splitlines(), 1) for name in line.split()}
"""A month's name or short form, lower case, to its number."""
