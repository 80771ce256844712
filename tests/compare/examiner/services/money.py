"""Money: card payments, name-value payments, a bank's SOAP, a German invoice, exchange rates."""

from __future__ import annotations

from datetime import timedelta, timezone
from urllib.parse import urlencode

from tests.compare.examiner.edits import day_for_month, days_on, german_days_on, mojibake
from tests.compare.examiner.fault import (
    add_header,
    drop,
    grow,
    header,
    lose_header,
    media_type,
    put,
    status,
    text,
)
from tests.compare.examiner.reply import Json, Reply
from tests.compare.examiner.service import Service
from tests.compare.examiner.world import Side, World, millis, zulu


def _payment(world: World, side: Side) -> Reply:
    amount, order = world.cents(), world.number(1000, 99_999)
    intent = f"pi_3{side.base62(23)}"
    customer = f"cus_{world.base62(14)}"
    return Reply(
        {
            "id": intent,
            "object": "payment_intent",
            "amount": amount,
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "capture_method": "automatic",
            "client_secret": f"{intent}_secret_{side.base62(25)}",
            "created": side.unix(),
            "currency": "eur",
            "customer": customer,
            "description": f"Order {order} for {world.name()}",
            "livemode": False,
            "metadata": {"order_id": str(order)},
            "payment_method_types": ["card", "sepa_debit"],
            "receipt_email": None,
            "status": "requires_payment_method",
            "next_action": {"redirect_to_url": {"url": f"{side.url}/3ds/{side.base62(30)}?order={order}"}},
            "expires_at": side.unix(3600),
        },
        headers=[
            ("Request-Id", f"req_{side.base62(14)}"),
            ("Idempotency-Key", "order-77"),
            ("Stripe-Version", "2024-06-20"),
            ("Access-Control-Allow-Origin", "*"),
            ("Cache-Control", "no-cache, no-store"),
        ],
        method="POST",
        target="/v1/payment_intents",
        request_body=urlencode({"amount": amount, "currency": "eur", "customer": customer}),
    )


_PAYMENT_FAULTS = (
    put("price", "amount", to=lambda v: v + 1),
    put("price ten times", "amount", to=lambda v: v * 10),
    put("number became text", "amount", to=str),
    put("sign", "amount", to=lambda v: -v),
    put("currency", "currency", to=lambda _: "usd"),
    put("business id", "metadata", "order_id", to=lambda v: str(int(v) + 1)),
    put("id kind", "id", to=lambda v: "seti" + v[2:]),
    put("id format", "id", to=lambda _: 4711),
    put("customer the request named", "customer", to=lambda v: v[:-1] + ("A" if v[-1] != "A" else "B")),
    put("expires later", "expires_at", to=lambda v: v + 3600),
    put("seconds became milliseconds", "created", to=lambda v: v * 1000),
    put("frozen creation", "created", to=lambda v: v - 86_400),
    put("true for false", "livemode", to=lambda _: True),
    put("number became boolean", "amount_capturable", to=lambda _: False),
    put("null became text", "receipt_email", to=lambda _: ""),
    put("business id in text", "description", to=lambda v: v.replace("Order ", "Order 1")),
    put("query beside noise", "next_action", "redirect_to_url", "url", to=lambda v: v + "0"),
    put("status text", "status", to=lambda _: "requires_confirmation"),
    put("list order", "payment_method_types", to=lambda v: v[::-1]),
    put("list element missing", "payment_method_types", to=lambda v: v[:1]),
    put("secret of another intent", "client_secret", to=lambda v: v.replace("_secret_", "_token_")),
    drop("element missing", "metadata", "order_id"),
    header("version header", "Stripe-Version", lambda _: "2023-10-16"),
    header("no-store lost", "Cache-Control", lambda _: "no-cache"),
    header("allowed origin", "Access-Control-Allow-Origin", lambda _: "https://shop.example"),
    status("status", 201),
)


def _charges(world: World, side: Side) -> Reply:
    data = [
        {
            "id": f"ch_3{world.base62(23)}",
            "amount": world.cents(),
            "created": int(world.past().timestamp()),
            "currency": world.dice.choice(("eur", "usd", "jpy")),
            "fee": round(world.dice.uniform(0.1, 9), 10),
            "refunded": world.chance(0.2),
            "balance_transaction": f"txn_3{world.base62(23)}",
            "receipt_url": f"https://pay.stripe.example/receipts/{world.base62(40)}",
            "outcome": {"risk_score": world.number(0, 99), "seller_message": "Payment complete."},
        }
        for _ in range(world.number(3, 6))
    ]
    return Reply(
        {"object": "list", "data": data, "has_more": True, "url": "/v1/charges"},
        headers=[("Request-Id", f"req_{side.base62(14)}"), ("Stripe-Version", "2024-06-20")],
        target=f"/v1/charges?limit={len(data)}&starting_after={data[0]['id']}",
    )


_CHARGE_FAULTS = (
    put("price", "data", 0, "amount", to=lambda v: v - 1),
    put("currency", "data", 1, "currency", to=lambda v: "gbp"),
    put("stored epoch a day off", "data", 2, "created", to=lambda v: v + 86_400),
    put("stored epoch a second off", "data", 0, "created", to=lambda v: v + 1),
    put("rounding", "data", 1, "fee", to=lambda v: round(v, 2)),
    put("float lost a digit", "data", 1, "fee", to=lambda v: float(str(v)[:-1])),
    put("id the request names", "data", 0, "id", to=lambda v: v[:-1] + ("A" if v[-1] != "A" else "B")),
    put("true for false", "data", 2, "refunded", to=lambda v: not v),
    put("has more", "has_more", to=lambda _: False),
    put("list reversed", "data", to=lambda v: v[::-1], most=8),
    put("list empty", "data", to=lambda _: [], most=8),
    put("list null", "data", to=lambda _: None),
    drop("last element missing", "data", -1),
    put("element twice", "data", to=lambda v: [v[0], *v]),
    put("risk score", "data", 0, "outcome", "risk_score", to=lambda v: v + 1),
    put("relative url", "url", to=lambda _: "/v1/charge"),
)


def _nvp(world: World, side: Side) -> Reply:
    fields = {
        "TOKEN": f"EC-{side.upper(17)}",
        "TIMESTAMP": zulu(side.now()),
        "CORRELATIONID": side.hex(13),
        "ACK": "Success",
        "VERSION": "204.0",
        "BUILD": "55251101",
        "AMT": world.price(),
        "CURRENCYCODE": "USD",
        "INVNUM": str(world.number(1000, 9999)),
        "NOTE": "Thank you & come again",
        "CUSTOM": "",
    }
    return Reply(
        urlencode(fields), "application/x-www-form-urlencoded", method="POST", target="/nvp",
        request_body="METHOD=SetExpressCheckout",
    )  # fmt: skip


_NVP_FAULTS = (
    text("ack", "ACK=Success", "ACK=SuccessWithWarning"),
    text("price", r"AMT=(\d+)", lambda m: f"AMT={int(m[1]) + 1}"),
    text("currency", "=USD", "=CAD"),
    text("business id", r"INVNUM=(\d+)", lambda m: f"INVNUM={int(m[1]) + 1}"),
    text("text cut at an ampersand", "%26", ";"),
    text("empty field lost", "&CUSTOM=", ""),
    text("duplicate field", "&ACK=Success", "&ACK=Success&ACK=Success"),
    text("version", "204.0", "124.0"),
)


def _soap(world: World, side: Side) -> Reply:
    rows = "".join(
        f'<b:Entry id="{world.number(10_000, 99_999)}"><b:Booked>{world.past(60):%Y-%m-%d}</b:Booked>'
        f'<b:Amount currency="CHF">{world.price()}</b:Amount><b:Text>{world.name()} &amp; Co</b:Text></b:Entry>'
        for _ in range(world.number(3, 6))
    )
    body = f"""<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:wsa="http://www.w3.org/2005/08/addressing">
 <soap:Header>
  <wsa:MessageID>urn:uuid:{side.uuid()}</wsa:MessageID>
  <wsa:RelatesTo>urn:uuid:{world.uuid()}</wsa:RelatesTo>
  <Timestamp><Created>{millis(side.now())}</Created><Expires>{millis(side.now(minutes=5))}</Expires></Timestamp>
 </soap:Header>
 <soap:Body>
  <b:StatementResponse xmlns:b="urn:bank:statement:3">
   <b:Iban>CH93007620116238{world.number(10_000, 99_999)}</b:Iban>
   <b:Balance currency="CHF">-{world.price()}</b:Balance>
   <b:AsOf>{side.now(hours=1).astimezone(timezone(timedelta(hours=1))).isoformat()}</b:AsOf>
   <b:Entries count="3">{rows}</b:Entries>
   <b:Session>{side.hex(32)}</b:Session>
  </b:StatementResponse>
 </soap:Body>
</soap:Envelope>"""
    return Reply(
        body, "text/xml; charset=utf-8", method="POST", target="/ws/Statement",
        headers=[("SOAPAction", '""'), ("Set-Cookie", f"JSESSIONID={side.hex(32).upper()}; Path=/ws; Secure; HttpOnly")],
    )  # fmt: skip


_SOAP_FAULTS = (
    text("price", r"(\d)</b:Amount>", lambda m: f"{(int(m[1]) + 1) % 10}</b:Amount>"),
    text("sign", r'CHF">-', 'CHF">'),
    text("currency attribute", 'Balance currency="CHF"', 'Balance currency="EUR"'),
    text("attribute lost", 'Balance currency="CHF"', "Balance"),
    text("iban digit", r"(\d)</b:Iban>", lambda m: f"{(int(m[1]) + 3) % 10}</b:Iban>"),
    text("booked a day off", r"-(\d\d)</b:Booked>", lambda m: f"-{int(m[1]) % 28 + 1:02d}</b:Booked>"),
    text("entry id", r'Entry id="(\d+)"', lambda m: f'Entry id="{int(m[1]) + 1}"'),
    text("namespace", "urn:bank:statement:3", "urn:bank:statement:4", most=40),
    text("element missing", r"<b:Text>[^<]*</b:Text>", ""),
    text("entry missing", r"<b:Entry id.*?</b:Entry>", ""),
    text("expires later", r"(?<=<Expires>)(\d+)", lambda m: str(int(m[1]) + 1)),
    text("message answered", r"RelatesTo>urn:uuid:.", "RelatesTo>urn:guid:0"),
    text("count", 'count="3"', 'count="4"'),
    text("escaped twice", "&amp;", "&amp;amp;"),
    text("text", " Co<", " Cie<"),
    header("cookie without Secure", "Set-Cookie", lambda v: v.replace(" Secure;", "")),
    header("cookie path", "Set-Cookie", lambda v: v.replace("/ws", "/")),
    lose_header("cookie lost", "Set-Cookie"),
    media_type("charset", "text/xml; charset=iso-8859-1"),
    media_type("media type", "application/soap+xml; charset=utf-8"),
)


def _soap_fault(world: World, side: Side) -> Reply:
    body = f"""<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><S:Fault>
<faultcode>S:Server</faultcode><faultstring>Account {world.number(100, 999)} is locked</faultstring>
<detail><e:Fault xmlns:e="urn:err"><e:Code>ERR-{world.number(10, 99)}</e:Code><e:Ref>{side.uuid()}</e:Ref>
<e:When>{side.now().astimezone(timezone(timedelta(hours=-5))):%Y-%m-%dT%H:%M:%S%z}</e:When>
<e:Text>Ticket {side.uuid()} was opened at {side.now():%H:%M:%S} UTC on {side.url}/tickets</e:Text></e:Fault></detail>
</S:Fault></S:Body></S:Envelope>"""
    return Reply(body, "text/xml", status=500, method="POST", target="/ws/Account")


_SOAP_FAULT_FAULTS = (
    text("code", r"ERR-(\d)", lambda m: f"ERR-{(int(m[1]) + 1) % 10}"),
    text("business id in text", r"Account (\d+)", lambda m: f"Account {int(m[1]) + 1}"),
    text("text beside noise", "was opened", "was closed"),
    text("path beside noise", "/tickets", "/incidents"),
    text("who is at fault", "S:Server", "S:Client"),
    text("zone moved the instant", "-0500", "-0600"),
    status("status", 400),
)


def _invoice(world: World, side: Side) -> Reply:
    issued, number = world.past(300), world.number(1000, 9999)
    here = timezone(timedelta(hours=1))
    lines: list[Json] = [
        {
            "Bezeichnung": f"{world.title()} für Übergröße",
            "Menge": world.number(1, 9),
            "Einzelpreis": _euro(world.cents()),
        }
        for _ in range(3)
    ]
    return Reply(
        {
            "Rechnungsnummer": f"RE-2026-{number}",
            "Rechnungsdatum": f"{issued:%d.%m.%Y}",
            "Fälligkeitsdatum": f"{issued + timedelta(days=14):%d.%m.%Y}",
            "Zahlbar bis": f"{side.now(days=30).astimezone(here):%d.%m.%Y}",
            "Kunde": {"Name": world.name(), "Kundennummer": world.number(1, 99), "Straße": "Königsallee 7"},
            "Positionen": lines,
            "Gesamtbetrag": _euro(world.cents(10_000, 900_000)),
            "MwSt": 19,
            "Bezahlt": False,
            "Erstellt am": f"{side.now().astimezone(here):%d.%m.%Y um %H:%M:%S} Uhr",
            "Hinweis": f"Abruf {side.uuid()} vom {side.now().astimezone(here):%d.%m.%Y %H:%M}, Beleg {number}",
            "_verweise": {
                "selbst": f"{side.url}/rechnungen/{number}",
                "pdf": f"{side.url}/rechnungen/{number}.pdf",
            },
        },
        headers=[("Content-Language", "de-DE"), ("Content-Security-Policy", "default-src 'self'; img-src *")],
        target=f"/rechnungen/{number}",
    )


def _euro(cents: int) -> str:
    return f"{cents / 100:,.2f} €".translate(str.maketrans(",.", ".,"))


_INVOICE_FAULTS = (
    put("due date a day off", "Fälligkeitsdatum", to=lambda v: f"{int(v[:2]) % 28 + 1:02d}{v[2:]}"),
    put("due date moved", "Zahlbar bis", to=lambda v: german_days_on(v, 1)),
    put("issued a year off", "Rechnungsdatum", to=lambda v: v[:-1] + str((int(v[-1]) + 1) % 10)),
    put("day and month swapped", "Fälligkeitsdatum", to=day_for_month),
    put("price", "Gesamtbetrag", to=lambda v: v.replace(",", ",0")),
    put("decimal comma", "Gesamtbetrag", to=lambda v: v.translate(str.maketrans(",.", ".,"))),
    put("currency", "Gesamtbetrag", to=lambda v: v.replace("€", "$")),
    put("mojibake", "Kunde", "Straße", to=mojibake),
    put("umlaut lost", "Positionen", 1, "Bezeichnung", to=lambda v: v.replace("ü", "ue")),
    put("tax", "MwSt", to=lambda _: 7),
    put("number became float", "MwSt", to=lambda _: 19.5),
    put("customer number", "Kunde", "Kundennummer", to=lambda v: v + 1),
    put("paid", "Bezahlt", to=lambda _: "false"),
    put("year in a number", "Rechnungsnummer", to=lambda v: v.replace("2026", "2025")),
    put("business id beside noise", "Hinweis", to=lambda v: v + "0"),
    put("link target", "_verweise", "pdf", to=lambda v: v.replace(".pdf", ".html")),
    put("quantity", "Positionen", 2, "Menge", to=lambda v: v * 10),
    drop("line missing", "Positionen", 1),
    grow(
        "line added",
        "Positionen",
        key=0,
        value={"Bezeichnung": "Versand", "Menge": 1, "Einzelpreis": "4,90 €"},
    ),
    header("language", "Content-Language", lambda _: "de-AT"),
    header("policy weaker", "Content-Security-Policy", lambda v: v.replace("'self'", "*")),
    lose_header("policy lost", "Content-Security-Policy"),
    add_header("deprecated", "Deprecation", "true"),
)


def _rates(world: World, side: Side) -> Reply:
    return Reply(
        {
            "base": "EUR",
            "timestamp": side.unix(),
            "date": f"{side.now():%Y-%m-%d}",
            "valid_until": side.millis(900),
            "rates": {
                code: round(world.dice.uniform(0.5, 160), 8) for code in ("USD", "JPY", "CHF", "GBP", "TRY")
            },
            "precise": 12345678901234567890123 + world.number(0, 9**9),
        },
        headers=[
            ("Cache-Control", "public, max-age=900"),
            ("Expires", (side.now(minutes=15)).strftime("%a, %d %b %Y %H:%M:%S GMT")),
            ("Age", str(side.dice.randint(0, 400))),
            ("X-Cache", side.dice.choice(("HIT", "MISS"))),
        ],
        target="/latest?base=EUR",
    )


_RATE_FAULTS = (
    put("rate", "rates", "USD", to=lambda v: round(v + 0.0001, 8)),
    put("float lost precision", "rates", "JPY", to=lambda v: round(v, 4)),
    put("float in single precision", "rates", "CHF", to=lambda v: v + 1e-7),
    put("big integer lost a digit", "precise", to=lambda v: v // 10 * 10 + (v + 1) % 10),
    put("big integer became a float", "precise", to=float),
    put("base", "base", to=lambda _: "USD"),
    put("date a day off", "date", to=lambda v: days_on(v, -1)),
    put("stale time", "timestamp", to=lambda v: v - 7200),
    put("valid longer", "valid_until", to=lambda v: v + 900_000),
    drop("rate missing", "rates", "TRY"),
    grow("rate added", "rates", key="BTC", value=0.00001),
    text("duplicate key", r"\{", '{"base": "EUR", '),
    header("cache lifetime", "Cache-Control", lambda v: v.replace("900", "9000")),
    header("expires later", "Expires", lambda v: v.replace(v.split()[3], str(int(v.split()[3]) + 1))),
)


SERVICES = (
    Service("card payment", _payment, _PAYMENT_FAULTS),
    Service("card charges", _charges, _CHARGE_FAULTS),
    Service("name-value payment", _nvp, _NVP_FAULTS),
    Service("bank statement", _soap, _SOAP_FAULTS),
    Service("bank fault", _soap_fault, _SOAP_FAULT_FAULTS),
    Service("german invoice", _invoice, _INVOICE_FAULTS),
    Service("exchange rates", _rates, _RATE_FAULTS),
)
