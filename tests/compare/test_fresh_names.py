"""Names and shapes of fresh values: which names excuse a short one, and which shapes are of one kind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import pytest

from tests.compare.answers import (
    COPY,
    LATER,
    NOW,
    PLAIN,
    answer,
    ask,
    found,
    iso,
    new_base64,
    new_hex,
    new_letters,
    zulu,
)
from traffic_mirror.compare import Verdict, judge


class Pair(NamedTuple):
    """A value of one name on both sides, in JSON, in a text or in a header."""

    name: str
    primary: object
    copy: object
    kind: str = "json"
    status: int = 200
    method: str = "GET"

    def judge(self) -> Verdict:
        bodies: tuple[object, object] = ({"at": iso(NOW)}, {"at": iso(LATER)})
        headers: list[tuple[tuple[str, str], ...]] = [(), ()]
        if self.kind == "json":
            bodies = {self.name: self.primary}, {self.name: self.copy}
        elif self.kind == "text":
            bodies = f"{self.name}{self.primary}\n", f"{self.name}{self.copy}\n"
        else:
            headers = [((self.name, str(value)),) for value in (self.primary, self.copy)]
        kind = "text/plain" if self.kind == "text" else "application/json"
        return judge(
            answer(bodies[0], kind, headers=headers[0], status=self.status),
            answer(bodies[1], kind, headers=headers[1], status=self.status, began=LATER, hosts=COPY),
            PLAIN,
            request=ask(self.method),
        )


def snowflake(at: float, rest: int) -> str:
    return str((int((at - 1_288_834_974.657) * 1000) << 22) | rest)


def sonyflake(at: float, rest: int) -> str:
    return str((int((at - 1_409_529_600) * 100) << 24) | rest)


def in_hex(at: float, *, micros: bool = False) -> str:
    """Seconds since 1970 in hexadecimal digits, with `micros` as PHP's `uniqid` writes them."""
    return f"{int(at):08x}{int(at % 1 * 1e6):05x}" if micros else f"{int(at):08x}"


WEEKLY = "%G-W%V-%uT%H:%M:%SZ"


def of_year(at: float, form: str = "%Y-%jT%H:%M:%SZ") -> str:
    return datetime.fromtimestamp(at, UTC).strftime(form)


def csp(host: str) -> str:
    return f"script-src 'self' 'nonce-{new_base64(16)}' https://{host}; img-src *"


NOISE = {
    "short trace": Pair("trace_id", "a3f09b1c", "9be107d4"),
    "lost leading zero": Pair("trace_id", new_hex(16), new_hex(15)),
    "reference of an error": Pair("reference", "k7p2q9xa", "m3t8w1zr", status=500),
    "ray of an error page": Pair("Ray ID: ", "64225575e8febaaa", "b3fac18bec6b116f", "text"),
    "snowflake that looks like a date": Pair("id", snowflake(NOW, 77), snowflake(LATER, 123456)),
    "decimal trace beside a date's look": Pair(
        "done, trace id=", "2012345678901234", "8817264953017265", "text"
    ),
    "time and suffix": Pair("id", f"{int(NOW)}-0q0qgw1i", f"{int(LATER)}-f0y2bae1", method="POST"),
    "sonyflake": Pair("id", sonyflake(NOW, 77), sonyflake(LATER, 123456)),
    "time in brackets": Pair("About 1,234 results ", "(0.45 seconds)", "(0.32 seconds)", "text"),
    "capital": Pair("Took ", "12 ms", "15 ms", "text"),
    "base64 at the end of a sentence": Pair(
        "failed, trace id ", "5oNMPuVbijjTL2GCTot+Ew==.", "s2ueXUkaCb41ZYCbSTazig==.", "text"
    ),
    "hexadecimal of a digest's size": Pair("event_id", new_hex(40), new_hex(40), method="POST"),
    "few digits": Pair("id", "ete4gs3yvtndwejqeuibshdkrn", "p2otvk4kjfam2bvlxcmcpy6gy4", method="POST"),
    "no digit": Pair("id", "tguxfjeqzacpfndjkcwybvczpw", "p2otvk4kjfam2bvlxcmcpy6gy4", method="POST"),
    "letters as written": Pair("id", "dtl0gohoudbrhsgdt75socjl", "k3v9xq1zt7wbn2m8rcy5jp0f", method="POST"),
    "short, as written": Pair("uid", "tRcdbowsuf5urnHW", "kQ7zXw2VbJ9xLp4Z", method="POST"),
    "seconds in hexadecimal": Pair("at", in_hex(NOW), in_hex(LATER)),
    "milliseconds in hexadecimal": Pair("at", f"{int(NOW * 1000):#x}", f"{int(LATER * 1000):#x}"),
    "uniqid": Pair("key", in_hex(NOW, micros=True), in_hex(LATER, micros=True)),
    "job of now in hexadecimal": Pair("job", f"job-{in_hex(NOW)}", f"job-{in_hex(LATER)}"),
    "day of the year": Pair("at", of_year(NOW), of_year(LATER)),
    "day of the year in a text": Pair("made ", of_year(NOW), of_year(LATER), "text"),
    "day of the week": Pair("at", of_year(NOW, WEEKLY), of_year(LATER, WEEKLY)),
    "written together": Pair("generationtime_ms", 0.1117, 2.4018),
    "uptime": Pair("uptime", "3 days, 4:05:06", "17 days, 11:02:02"),
    "uptime of Go": Pair("uptime", "72h3m0.5s", "1m3s"),
    "uptime of ISO 8601": Pair("uptime", "P3DT4H", "PT15H2M"),
    "uptime in a text": Pair("Uptime: ", "29 days, 15:44:18", "7 days, 09:21:29", "text"),
    "age": Pair("age_seconds", 0, 1),
    "round age": Pair("age_seconds", 60, 61),
    "fraction of few digits": Pair("t", round(NOW + 0.1, 1), int(LATER)),
    "pod in a text": Pair("started on ", "web-74c5b9b687-x2k4q", "web-bc5599d67-vmwz5", "text"),
    "signature with time": Pair(
        "X-Signature", f"t={int(NOW)},v1={new_hex(64)}", f"t={int(LATER)},v1={new_hex(64)}", "header"
    ),
    "signature of the body": Pair(
        "Signature", f"sig1=:{new_base64(64)}:", f"sig1=:{new_base64(64)}:", "header"
    ),
    "nonce beside an own name": Pair(
        "Content-Security-Policy", csp("api.example.test"), csp("shadow.test:8443"), "header"
    ),
}

REAL = {
    "reference of a booking": Pair("booking_reference", "K7P2Q9XA", "M3T8W1ZR"),
    "reference of a payment": Pair("reference", "400123459812", "712966981277"),
    "number of a ticket": Pair("ticket_number", "4001234598120", "7129669812347"),
    "event": Pair("event_id", "a3f09b1c", "9be107d4"),
    "message": Pair("message_id", "40012345", "71296698"),
    "container": Pair("container", "MSKU9070323", "TGHU1234567"),
    "code of a response": Pair("response_code", "A1B2C3D4", "Z9Y8X7W6"),
    "type of a session": Pair("session_type", "a3f09b1c", "9be107d4"),
    "code of an error": Pair("error_code", "a3f09b1c", "9be107d4", status=500),
    "kind for none": Pair("trace_id", new_hex(32), f"tr_{new_hex(32)}"),
    "kind in capitals": Pair("token", "EC-BF04CC443D28B6F24", "BA-1C7D95E0A3F21B806"),
    "case": Pair("trace_id", new_hex(32), new_hex(32).upper()),
    "case of an object id": Pair(
        "id", f"{int(NOW):08x}{new_hex(16)}", f"{int(LATER):08X}{new_hex(16).upper()}"
    ),
    "size": Pair("trace_id", new_hex(32), new_hex(24)),
    "whole for a fraction": Pair("t", NOW + 0.003, int(LATER)),
    "number after a time": Pair("id", "20261123100000-000123", "20261123100001-000124", method="POST"),
    "number of an account": Pair("value", "DE89370400440532013000", "DE12500105170648489890"),
    "limit in brackets": Pair("Request timeout ", "(5 s)", "(6 s)", "text"),
    "time in brackets of a lap": Pair("Lap 3 ", "(52.45 s)", "(52.32 s)", "text"),
    "cookie of a user": Pair("Set-Cookie", "user_id=40012345; Path=/", "user_id=71296698; Path=/", "header"),
    "no uptime": Pair("uptime", "3 days", "never"),
    "time of day": Pair("opens", "3:05:06", "11:02:02"),
    "older": Pair("age_seconds", 60, 90),
    "limit of age": Pair("max_age_seconds", 60, 61),
    "age of a person": Pair("age", 30, 31),
    "another deployment": Pair("started on ", "web-74c5b9b687-x2k4q", "api-bc5599d67-vmwz5", "text"),
    "signature of another day": Pair(
        "X-Signature", f"t={int(NOW)},v1={new_hex(64)}", f"t={int(LATER) - 86400},v1={new_hex(64)}", "header"
    ),
    "empty signature": Pair("X-Signature", f"t={int(NOW)},v1={new_hex(64)}", f"t={int(LATER)},v1=", "header"),
    "signature of zeros": Pair("Signature", f"sig1=:{new_base64(64)}:", f"sig1=:{'A' * 86}==:", "header"),
    "another way to sign": Pair("X-Signature", f"sha1={new_hex(64)}", f"sha256={new_hex(64)}", "header"),
    "nonce beside another name": Pair(
        "Content-Security-Policy", csp("api.example.test"), csp("evil.test"), "header"
    ),
    "one nonce less": Pair(
        "Content-Security-Policy", f"script-src 'nonce-{new_base64(16)}'", "script-src *", "header"
    ),
    "words in its place": Pair("id", "customerServiceDesk1", "k3V9xq1ZT7wbn2M8rcy5", method="POST"),
    "words of other words": Pair("id", "getUserByNameOrEmail2", "getOrderByDateOrTotal", method="POST"),
    "no id by its name": Pair("grade", "tRcdbowsuf5urnHW", "kQ7zXw2VbJ9xLp4Z", method="POST"),
    "stored in hexadecimal": Pair("at", in_hex(NOW - 1e6), in_hex(NOW - 1.5e6)),
    "next in hexadecimal": Pair("at", "9f3a0b12", "9f3a0b13"),
    "hexadecimal in another case": Pair("at", in_hex(NOW), in_hex(LATER).upper()),
    "due a day of the year later": Pair("due", of_year(NOW + 259_200), of_year(LATER + 345_600)),
    "stored day of the year": Pair("at", of_year(NOW - 1e6), of_year(NOW - 1.5e6)),
    "no day of the year": Pair("at", "2025-366T10:00:00Z", "2025-366T10:00:01Z"),
    "day of the year for a date": Pair("at", of_year(NOW), zulu(LATER)),
    "nothing said": Pair("X-Signature", new_letters(40), "none", "header"),
}


@pytest.mark.parametrize("pair", NOISE.values(), ids=NOISE.keys())
def test_fresh_values_are_set_aside(pair: Pair) -> None:
    verdict = pair.judge()
    assert found(verdict) == []
    assert verdict.set_aside


@pytest.mark.parametrize("pair", REAL.values(), ids=REAL.keys())
def test_what_only_has_a_fresh_name_or_shape_is_a_difference(pair: Pair) -> None:
    assert pair.judge().verdict == "differ"
