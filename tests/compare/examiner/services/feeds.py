"""Feeds and calendars: RSS, Atom, a site map, iCalendar, vCard, a multipart batch."""

from __future__ import annotations

import json
from datetime import timedelta
from email.utils import format_datetime

from tests.compare.examiner.fault import media_type, status, text
from tests.compare.examiner.reply import Reply
from tests.compare.examiner.service import Service
from tests.compare.examiner.world import Side, World, micros, zulu


def _rss(world: World, side: Side) -> Reply:
    items = "".join(
        f"<item><title><![CDATA[{world.title()} & more]]></title><link>{side.url}/news/{number}</link>"
        f'<guid isPermaLink="false">{world.uuid()}</guid><pubDate>{format_datetime(world.past())}</pubDate>'
        f'<enclosure url="{side.url}/audio/{number}.mp3" length="{world.number(10**6, 10**7)}" type="audio/mpeg"/>'
        f"<description>&lt;p&gt;{world.sentence()}&lt;/p&gt;</description></item>"
        for number in range(world.number(3, 40), 45)
    )
    body = (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel>'
        f'<title>{world.title()}</title><link>{side.url}</link><atom:link href="{side.url}/feed" rel="self" type="application/rss+xml"/>'
        f"<lastBuildDate>{format_datetime(side.now())}</lastBuildDate><ttl>60</ttl>{items}</channel></rss>"
    )
    return Reply(body, "application/rss+xml; charset=UTF-8", target="/feed")


_RSS_FAULTS = (
    text("link", r"/news/(\d+)", lambda m: f"/news/{int(m[1]) + 100}"),
    text("title", r"& more", "& less"),
    text("stored date", r"<pubDate>(...), (\d\d)", lambda m: f"<pubDate>{m[1]}, {int(m[2]) % 28 + 1:02d}"),
    text("stored identity's attribute", 'isPermaLink="false"', 'isPermaLink="true"'),
    text("length", r'length="(\d+)"', lambda m: f'length="{int(m[1]) + 1}"'),
    text("ttl", "<ttl>60<", "<ttl>600<"),
    text("item missing", r"<item>.*?</item>", ""),
    text("item twice", r"(<item>.*?</item>)", r"\1\1"),
    text("markup", "&lt;p&gt;", "&lt;b&gt;"),
    text("escaped twice", "&lt;p&gt;", "&amp;lt;p&amp;gt;"),
    text(
        "built long ago",
        r"lastBuildDate>(...), (\d\d) (...) 20(\d\d)",
        lambda m: f"lastBuildDate>{m[1]}, {m[2]} {m[3]} 20{int(m[4]) - 1}",
    ),
    text("zone of a stored date", r"\+0000</pubDate>", "+0100</pubDate>"),
    media_type("media type", "text/xml; charset=UTF-8"),
)


def _atom(world: World, side: Side) -> Reply:
    entries = "".join(
        f"<entry><id>tag:acme.example,2026:{number}</id><title type='html'>{world.title()}</title>"
        f"<updated>{zulu(world.past())}</updated><link {_link(side, f'{side.url}/e/{number}')}/>"
        f"<author><name>{world.name()}</name></author><category term='{world.word()}'/></entry>"
        for number in range(40, 40 + world.number(3, 7))
    )
    prefix = side.style.choice(("", "a:"))
    entries = entries if not prefix else _prefixed(entries, prefix)
    name = "xmlns" if not prefix else "xmlns:a"
    body = (
        f"<{prefix}feed {name}='http://www.w3.org/2005/Atom'>\n  <{prefix}id>urn:uuid:{world.uuid()}</{prefix}id>\n"
        f"  <{prefix}updated>{micros(side.now())}</{prefix}updated>\n  {entries}</{prefix}feed>"
    )
    return Reply(body, "application/atom+xml", target="/atom")


def _link(side: Side, href: str) -> str:
    pairs = [f"href='{href}'", "rel='alternate'", "type='text/html'"]
    side.style.shuffle(pairs)
    return " ".join(pairs)


def _prefixed(markup: str, prefix: str) -> str:
    return markup.replace("</", "\0").replace("<", f"<{prefix}").replace("\0", f"</{prefix}")


_ATOM_FAULTS = (
    text("feed's id", r"urn:uuid:(.)", lambda m: f"urn:uuid:{'0' if m[1] != '0' else '1'}"),
    text("entry's id", r"2026:(\d+)", lambda m: f"2026:{int(m[1]) + 100}"),
    text("entry's link beside a host", r"/e/(\d+)", lambda m: f"/e/{int(m[1]) + 100}"),
    text("entry's author", r"(</(a:)?name>)", r" Jr.\1"),
    text("rel", "'alternate'", "'enclosure'"),
    text("namespace", "2005/Atom", "2006/Atom", most=80),
    text("kind of title", "type='html'", "type='text'"),
    text("category lost", r"<(a:)?category[^>]*>", ""),
    text("stored time", r":(\d\d)Z", lambda m: f":{(int(m[1]) + 1) % 60:02d}Z"),
)


def _site_map(world: World, side: Side) -> Reply:
    rows = "\n".join(
        f"  <url><loc>{side.url}/{world.word()}/{index}</loc><lastmod>{world.past():%Y-%m-%d}</lastmod>"
        f"<changefreq>weekly</changefreq><priority>0.{world.number(1, 9)}</priority></url>"
        for index in range(world.number(5, 20))
    )
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
        f"  <url><loc>{side.url}/</loc><lastmod>{side.now():%Y-%m-%d}</lastmod></url>\n{rows}\n</urlset>"
    )
    return Reply(body, "application/xml", target="/sitemap.xml")


_SITE_MAP_FAULTS = (
    text("address", r"/(\d+)</loc>", lambda m: f"/{int(m[1]) + 100}</loc>"),
    text("slash lost", r"/</loc>", "</loc>"),
    text(
        "modified a day off",
        r"(?<=-)(\d\d)</lastmod><change",
        lambda m: f"{int(m[1]) % 28 + 1:02d}</lastmod><change",
    ),
    text("modified today a month off", r"-(\d\d)-", lambda m: f"-{int(m[1]) % 12 + 1:02d}-"),
    text("priority", r"0\.(\d)", lambda m: f"0.{int(m[1]) % 9 + 1}"),
    text("frequency", "weekly", "daily"),
    text("page missing", r"  <url><loc>\S*</loc><lastmod>\S*</lastmod><change.*\n", ""),
)


def _calendar(world: World, side: Side) -> Reply:
    events = []
    for _ in range(world.number(2, 5)):
        start = world.future()
        events += [
            "BEGIN:VEVENT",
            f"UID:{world.uuid()}@acme.example",
            f"DTSTAMP:{side.now():%Y%m%dT%H%M%SZ}",
            f"DTSTART;TZID=Europe/Berlin:{start:%Y%m%dT%H%M%S}",
            f"DTEND;TZID=Europe/Berlin:{start + timedelta(hours=1):%Y%m%dT%H%M%S}",
            f"DTSTART;VALUE=DATE:{start:%Y%m%d}",
            f"SUMMARY:{world.title()}\\, room {world.number(1, 40)}",
            f"URL:{side.url}/events/{world.number(1, 900)}",
            f"SEQUENCE:{world.number(0, 5)}",
            "RRULE:FREQ=WEEKLY;COUNT=10;BYDAY=MO,WE",
            "END:VEVENT",
        ]
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Acme//Calendar 3.1//EN", *events, "END:VCALENDAR"]
    return Reply("\r\n".join(lines) + "\r\n", "text/calendar; charset=utf-8", target="/team.ics")


_CALENDAR_FAULTS = (
    text(
        "start an hour off",
        r"DTSTART;TZID=Europe/Berlin:(\d{8}T)(\d\d)",
        lambda m: f"DTSTART;TZID=Europe/Berlin:{m[1]}{(int(m[2]) + 1) % 24:02d}",
    ),
    text("end a day off", r"(DTEND[^:]*:\d{6})(\d\d)", lambda m: f"{m[1]}{int(m[2]) % 28 + 1:02d}"),
    text("zone", "Europe/Berlin", "Europe/London"),
    text("all-day date", r"(VALUE=DATE:\d{6})(\d\d)", lambda m: f"{m[1]}{int(m[2]) % 28 + 1:02d}"),
    text("room", r"room (\d+)", lambda m: f"room {int(m[1]) + 1}"),
    text("event's path beside a host", r"/events/(\d+)", lambda m: f"/events/{int(m[1]) + 1}"),
    text("sequence", r"SEQUENCE:(\d)", lambda m: f"SEQUENCE:{int(m[1]) + 1}"),
    text("count of repeats", "COUNT=10", "COUNT=11"),
    text("week days", "MO,WE", "MO,TH"),
    text("product", "Calendar 3.1", "Calendar 3.2"),
    text("event missing", r"BEGIN:VEVENT[\s\S]*?END:VEVENT\r\n", "", most=12),
    text("stamped long ago", r"DTSTAMP:20(\d\d)", lambda m: f"DTSTAMP:20{int(m[1]) - 1:02d}"),
)


def _card(world: World, side: Side) -> Reply:
    body = "\r\n".join(
        [
            "BEGIN:VCARD",
            "VERSION:4.0",
            f"FN:{world.name()}",
            f"TEL;TYPE=cell:+49 170 {world.number(10**6, 10**7)}",
            f"EMAIL:{world.word()}@acme.example",
            f"BDAY:19{world.number(50, 99)}-0{world.number(1, 9)}-1{world.number(0, 9)}",
            f"REV:{side.now():%Y%m%dT%H%M%SZ}",
            f"SOURCE:{side.url}/cards/{world.number(1, 99)}.vcf",
            "END:VCARD",
            "",
        ]
    )
    return Reply(body, "text/vcard", target="/cards/1.vcf")


_CARD_FAULTS = (
    text("telephone", r"(\d)\r\nEMAIL", lambda m: f"{(int(m[1]) + 1) % 10}\r\nEMAIL"),
    text("birthday", r"BDAY:19(\d\d)", lambda m: f"BDAY:19{(int(m[1]) + 1) % 100:02d}"),
    text("mail", "@acme.example", "@acme.test"),
    text("version", "VERSION:4.0", "VERSION:3.0"),
    text("source beside a host", r"\.vcf", ".xcf"),
    text("line lost", r"EMAIL[^\n]*\n", ""),
)


def _batch(world: World, side: Side) -> Reply:
    boundary = f"batch_{side.base62(24)}"
    parts = "".join(
        f"--{boundary}\r\nContent-Type: application/http\r\nContent-ID: <response-{index}>\r\n\r\n"
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
        + json.dumps({"id": world.number(1, 99), "name": world.name(), "at": zulu(side.now())})
        + "\r\n"
        for index in range(3)
    )
    return Reply(
        f"{parts}--{boundary}--\r\n", f"multipart/mixed; boundary={boundary}", method="POST", target="/batch",
        headers=[("X-Trace", side.hex(32))],
    )  # fmt: skip


_BATCH_FAULTS = (
    text("status of a part", "200 OK", "404 Not Found"),
    text("part's id", "<response-1>", "<response-9>"),
    text("id in a part", r'"id": (\d+)', lambda m: f'"id": {int(m[1]) + 1}'),
    text("name in a part", r'"name": "', '"name": "x'),
    text("part missing", r"--batch_\w+\r\n[\s\S]*?(?=--batch_)", "", most=3),
    status("status", 207),
)

SERVICES = (
    Service("rss feed", _rss, _RSS_FAULTS),
    Service("atom feed", _atom, _ATOM_FAULTS),
    Service("site map", _site_map, _SITE_MAP_FAULTS),
    Service("calendar", _calendar, _CALENDAR_FAULTS),
    Service("contact card", _card, _CARD_FAULTS),
    Service("multipart batch", _batch, _BATCH_FAULTS),
)
