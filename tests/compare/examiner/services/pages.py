"""Pages: a blog, a rendered app with its data, a form, error pages, a news site in French, a plain receipt."""

from __future__ import annotations

import html
import json
from datetime import timedelta, timezone
from random import Random

from tests.compare.examiner.fault import add_header, header, lose_header, media_type, status, text
from tests.compare.examiner.reply import Reply
from tests.compare.examiner.service import Service
from tests.compare.examiner.world import Side, World, http_date, millis


def _attributes(side: Side, **values: str) -> str:
    """Attributes in the order that this side happens to write them."""
    pairs = [f'{key.strip("_").replace("_", "-")}="{value}"' for key, value in values.items()]
    Random(side.style.random()).shuffle(pairs)
    return " ".join(pairs)


def _blog(world: World, side: Side) -> Reply:
    nonce = side.hex(10)
    number = world.number(10, 9999)
    posts = "\n".join(
        f'<article id="post-{number + i}" class="post status-publish"><h2><a href="{side.url}/?p={number + i}" rel="bookmark">'
        f'{html.escape(world.title())}</a></h2><time datetime="{world.past():%Y-%m-%dT%H:%M:%S+00:00}">{world.past():%B %d, %Y}</time>'
        f"<p>{world.sentence()} &hellip;</p><pre>def f(x):\n    return {world.number(1, 9)}</pre></article>"
        for i in range(3)
    )
    body = f"""<!DOCTYPE html>
<html lang="en-US"><head><meta charset="UTF-8"><title>{world.title()} &#8211; Blog</title>
<link {_attributes(side, rel="canonical", href=side.url + "/")}>
<meta {_attributes(side, name="generator", content="WordPress 6.5.2")}>
<script nonce="{nonce}">var wpApiSettings = {{"root":"{side.url.replace("/", chr(92) + "/")}\\/wp-json\\/","nonce":"{side.hex(10)}"}};</script>
</head><body {_attributes(side, class_="home blog", data_page="1")}>
{posts}
<form action="{side.url}/wp-comments-post.php" method="post"><input {_attributes(side, type="hidden", name="_wpnonce", value=side.hex(10))}>
<input type="text" name="author" maxlength="245" required></form>
<nav><a href="/page/2/">Older posts</a> <a href="/about">About</a></nav>
<footer>&copy; {world.base.year} {world.name()}. All rights reserved.</footer>
<!-- Page generated in {side.jitter(0.1, 0.9):.3f} seconds on {side.now():%Y-%m-%d %H:%M:%S} -->
</body></html>"""
    return Reply(
        body, "text/html; charset=UTF-8",
        headers=[
            ("Link", f'<{side.url}/wp-json/>; rel="https://api.w.org/"'),
            ("X-Pingback", f"{side.url}/xmlrpc.php"),
            ("Content-Security-Policy", f"script-src 'nonce-{nonce}' 'self'; object-src 'none'"),
            ("Set-Cookie", f"wp_session={side.hex(32)}; Path=/; HttpOnly; Secure; SameSite=Strict; Max-Age=86400"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Powered-By", side.dice.choice(("PHP/8.2.1", "PHP/8.3.0"))),
        ],
    )  # fmt: skip


_BLOG_FAULTS = (
    text("link target", r'href="/about"', 'href="/imprint"'),
    text("page of a link", "/page/2/", "/page/3/"),
    text("post's id", r"post-(\d+)", lambda m: f"post-{int(m[1]) + 1}"),
    text("post's link beside a host", r"/\?p=(\d+)", lambda m: f"/?p={int(m[1]) + 1}"),
    text("heading", r"</a></h2>", "!</a></h2>"),
    text("stored time", r'datetime="(\d{4})', lambda m: f'datetime="{int(m[1]) - 1}'),
    text("stored date in words", r'">(\w+) (\d\d), 20', lambda m: f'">{m[1]} {int(m[2]) % 28 + 1:02d}, 20'),
    text("indentation in pre", r"\n    return", "\n  return"),
    text("number in pre", r"return (\d)", lambda m: f"return {int(m[1]) % 9 + 1}"),
    text("class", "status-publish", "status-draft"),
    text("attribute", 'maxlength="245"', 'maxlength="254"'),
    text("boolean attribute lost", " required>", ">"),
    text("article missing", r"(?s)<article.*?</article>", ""),
    text("element added", "</nav>", '<a href="/new">New</a></nav>'),
    text("version", "WordPress 6.5.2", "WordPress 6.5.3"),
    text("field's name", 'name="_wpnonce"', 'name="_nonce"'),
    text("owner beside a year", "All rights", "Some rights"),
    text("script's path beside a host", "wp-json", "wp-jsonp"),
    text("entity", "&hellip;", "..."),
    text("language", 'lang="en-US"', 'lang="en-GB"'),
    text("page attribute", 'data-page="1"', 'data-page="2"'),
    text("form's method", 'method="post"', 'method="get"'),
    header("cookie without HttpOnly", "Set-Cookie", lambda v: v.replace(" HttpOnly;", "")),
    header("cookie without Secure", "Set-Cookie", lambda v: v.replace(" Secure;", "")),
    header("cookie's SameSite", "Set-Cookie", lambda v: v.replace("Strict", "Lax")),
    header("cookie's Max-Age", "Set-Cookie", lambda v: v.replace("86400", "864000")),
    header("nonce lost", "Content-Security-Policy", lambda v: v.replace("'self'", "'unsafe-inline'")),
    header("pingback's path", "X-Pingback", lambda v: v.replace("xmlrpc", "rpc")),
    lose_header("policy lost", "Referrer-Policy"),
    media_type("charset", "text/html; charset=ISO-8859-1"),
)  # fmt: skip


def _app(world: World, side: Side) -> Reply:
    build = side.base62(21)
    cart = [{"sku": world.word(), "qty": world.number(1, 5)} for _ in range(2)]
    items = "".join(f'<li data-sku="{item["sku"]}">{item["qty"]} × {item["sku"]}</li>' for item in cart)
    props = {
        "user": {"id": world.number(1, 999), "plan": "pro", "joined": millis(world.past())},
        "cart": cart,
        "csrfToken": side.secret(32),
        "renderedAt": side.millis(),
        "apiBase": f"{side.url}/api",
        "flags": {"newCheckout": False, "beta": None},
    }
    data = {
        "props": {"pageProps": props},
        "page": "/shop/[slug]",
        "query": {"slug": world.word()},
        "buildId": build,
    }
    body = (
        '<!DOCTYPE html><html><head><meta charSet="utf-8"/><meta name="viewport" content="width=device-width"/>'
        f"<title>{world.title()}</title>"
        f'<script src="/_next/static/{build}/_buildManifest.js" defer=""></script>'
        f'<link rel="preload" href="/_next/static/css/{world.hex(16)}.css" as="style"/></head>'
        f'<body><div id="__next"><main class="wrap"><h1>{world.title()}</h1>'
        f"<p>Total: <!-- -->${world.price()}</p><ul>{items}</ul><span>Updated just now, request {side.hex(16)}</span></main></div>"
        f'<script id="__NEXT_DATA__" type="application/json">{json.dumps(data, sort_keys=side.style.random() < 0.5)}</script></body></html>'
    )
    return Reply(
        body, "text/html; charset=utf-8",
        headers=[
            ("X-Powered-By", "Next.js"),
            ("ETag", f'"{side.hex(12)}"'),
            ("Cache-Control", "private, no-cache, no-store, max-age=0, must-revalidate"),
            ("X-Vercel-Id", f"fra1::{side.base62(5)}-{side.millis()}-{side.hex(12)}"),
            ("Permissions-Policy", "camera=(), microphone=()"),
        ],
    )  # fmt: skip


_APP_FAULTS = (
    text("price in text", r"\$(\d+)\.", lambda m: f"${int(m[1]) + 1}."),
    text("plan in data", '"plan": "pro"', '"plan": "free"'),
    text("id in data", r'"id": (\d+)', lambda m: f'"id": {int(m[1]) + 1}'),
    text("flag in data", '"newCheckout": false', '"newCheckout": true'),
    text("null in data", '"beta": null', '"beta": false'),
    text("quantity in data", r'"qty": (\d)', lambda m: f'"qty": {int(m[1]) + 1}'),
    text("joined a year off", r'"joined": "(\d+)', lambda m: f'"joined": "{int(m[1]) - 1}'),
    text("rendered long ago", r'"renderedAt": (\d)', lambda m: f'"renderedAt": {int(m[1]) + 1}'),
    text("token empty", r'"csrfToken": "[^"]*"', '"csrfToken": ""'),
    text("api path beside a host", r"/api\"", '/api/v2"'),
    text("page", r"\[slug\]", "[id]"),
    text("style sheet", r"static/css/(.)", lambda m: f"static/css/{'0' if m[1] != '0' else '1'}"),
    text("list item missing", r"<li .*?</li>", ""),
    text("text beside noise", "Updated just now", "Updated yesterday"),
    text("defer lost", ' defer=""', ""),
    text("manifest's name beside noise", "_buildManifest", "_ssgManifest"),
    text("item's attribute", r'data-sku="', 'data-sku="x'),
    header("must-revalidate lost", "Cache-Control", lambda v: v.replace(", must-revalidate", "")),
    header("permission", "Permissions-Policy", lambda v: v.replace("camera=()", "camera=*")),
)


def _sign_in(world: World, side: Side) -> Reply:
    body = f"""<html><head><meta name="csrf-token" content="{side.base64(64)}"><title>Sign in</title></head><body>
<form class="new_user" action="/users/sign_in" accept-charset="UTF-8" method="post">
<input type="hidden" name="authenticity_token" value="{side.base64(64)}" autocomplete="off">
<input type="email" name="user[email]" value="{html.escape(world.name())}"><input type="password" name="user[password]">
<select name="user[locale]"><option value="de">Deutsch</option><option value="en" selected>English</option></select>
<textarea name="note">  two
  lines</textarea>
<p class="flash">Your session ends at {side.now(minutes=20):%H:%M:%S} UTC ({world.number(1, 5)} attempts left)</p>
<button type="submit" disabled>Sign in</button></form></body></html>"""
    cookie = side.secret(120)
    return Reply(
        body, "text/html; charset=utf-8", target="/users/sign_in",
        headers=[
            ("Set-Cookie", f"_app_session={cookie}; path=/; expires={http_date(side.now(days=14))}; secure; HttpOnly"),
            ("Set-Cookie", f"csrftoken={side.base62(64)}; Path=/; SameSite=Lax"),
            ("Set-Cookie", "locale=en; Path=/"),
            ("X-Runtime", f"{side.jitter(0, 1):.6f}"),
            ("X-Frame-Options", "SAMEORIGIN"),
            ("X-Content-Type-Options", "nosniff"),
        ],
    )  # fmt: skip


_SIGN_IN_FAULTS = (
    text("action", "/users/sign_in", "/users/sign_up"),
    text("selected option", "selected", ""),
    text("option's value", 'value="de"', 'value="at"'),
    text("field lost", r'<input type="password"[^>]*>', ""),
    text("field's type", 'type="password"', 'type="text"'),
    text("white space in a text area", "  two\n  lines", "two\nlines"),
    text("attempts beside a time", r"(\d) attempts", lambda m: f"{int(m[1]) + 1} attempts"),
    text("session ends later", r"at (\d\d):", lambda m: f"at {(int(m[1]) + 1) % 24:02d}:"),
    text("disabled lost", " disabled>", ">"),
    text("token's name", "authenticity_token", "csrf_token"),
    text("token empty", r'content="[^"]*"', 'content=""'),
    text("autocomplete", 'autocomplete="off"', 'autocomplete="on"'),
    header("cookie without secure", "Set-Cookie", lambda v: v.replace("secure; ", "")),
    header("cookie lives longer", "Set-Cookie", lambda v: v.replace("path=/; ", "path=/; max-age=9; ")),
    header("cookie's domain", "Set-Cookie", lambda v: v + "; Domain=example.com"),
    lose_header("cookie lost", "Set-Cookie"),
    lose_header("frame options lost", "X-Frame-Options"),
    add_header("cookie added", "Set-Cookie", "admin=1; Path=/"),
)


def _redirect(world: World, side: Side) -> Reply:
    where = f"{side.url}/orders/{world.number(1, 999)}/receipt"
    return Reply(
        f'<html><body>You are being <a href="{where}">redirected</a>.</body></html>', "text/html; charset=utf-8",
        status=302, method="POST", target="/checkout",
        headers=[
            ("Location", f"{where}?sid={side.base62(32)}&lang=de#top"),
            ("Set-Cookie", f"flash={side.secret(40)}; Path=/; Secure; HttpOnly; SameSite=Lax"),
            ("Cache-Control", "no-store"),
        ],
    )  # fmt: skip


_REDIRECT_FAULTS = (
    header("path of the redirect", "Location", lambda v: v.replace("/receipt", "/invoice")),
    header("id in the redirect", "Location", lambda v: v.replace("/orders/", "/orders/1")),
    header("parameter beside noise", "Location", lambda v: v.replace("lang=de", "lang=en")),
    header("parameter lost", "Location", lambda v: v.replace("&lang=de", "")),
    header("fragment", "Location", lambda v: v.replace("#top", "")),
    header("host of a third party", "Location", lambda v: "https://phish.example" + v[v.index("/orders") :]),
    header("parameter's name", "Location", lambda v: v.replace("sid=", "token=")),
    header("cookie's SameSite lost", "Set-Cookie", lambda v: v.replace("; SameSite=Lax", "")),
    lose_header("redirect lost", "Location"),
    text("link in the text", "/receipt", "/invoice"),
    status("status", 303),
)


def _authorize(world: World, side: Side) -> Reply:
    form = f"client_id=web-{world.number(1, 9)}&response_type=code&scope=openid+email"
    state = f"state={side.secret(24)}&nonce={side.hex(32)}&code_challenge={side.secret(32)}&code_challenge_method=S256"
    back = f"{side.scheme}%3A%2F%2F{side.host.replace(':', '%3A')}%2Fcb"
    return Reply(
        "", "text/plain", status=302, target="/login",
        headers=[
            (
                "Location",
                f"https://login.idp.example/authorize?{form}&redirect_uri={back}&{state}&prompt=login",
            ),
            ("Set-Cookie", f"oauth_state={side.secret(60)}; Max-Age=600; Path=/cb; Secure; HttpOnly; SameSite=None"),
        ],
    )  # fmt: skip


_AUTHORIZE_FAULTS = (
    header("client", "Location", lambda v: v.replace("client_id=web-", "client_id=app-")),
    header("scope lost", "Location", lambda v: v.replace("+email", "")),
    header("redirect's path", "Location", lambda v: v.replace("%2Fcb", "%2Fcallback")),
    header("method of the challenge", "Location", lambda v: v.replace("S256", "plain")),
    header("state lost", "Location", lambda v: v.replace("&state=", "&stat=") if "&state=" in v else v),
    header("nonce lost", "Location", lambda v: v.replace("nonce=", "once=")),
    header("provider", "Location", lambda v: v.replace("login.idp", "login2.idp")),
    header("max-age", "Set-Cookie", lambda v: v.replace("600", "6000")),
    header("path of the cookie", "Set-Cookie", lambda v: v.replace("/cb", "/")),
    status("status", 307),
)


def _crash(world: World, side: Side) -> Reply:
    here = timezone(timedelta(hours=2))
    body = f"""<html><head><title>OperationalError at /orders/{world.number(1, 99)}/</title></head><body>
<table class="meta"><tr><th>Request Method:</th><td>GET</td></tr>
<tr><th>Request URL:</th><td>{side.url}/orders/</td></tr>
<tr><th>Django Version:</th><td>5.0.{world.number(1, 6)}</td></tr>
<tr><th>Exception Location:</th><td>/app/db.py, line {world.number(10, 400)}, in connect</td></tr>
<tr><th>Server time:</th><td>{side.now().astimezone(here):%a, %d %b %Y %H:%M:%S} +0200</td></tr></table>
<p>If you report this error please include this id: <code>{side.hex(32)}</code> (took {side.dice.randint(1, 99)} ms)</p>
</body></html>"""
    return Reply(body, "text/html; charset=utf-8", status=500, headers=[("X-Frame-Options", "DENY")])


_CRASH_FAULTS = (
    text("exception", "OperationalError", "IntegrityError"),
    text("line number", r"line (\d+)", lambda m: f"line {int(m[1]) + 1}"),
    text("version", r"5\.0\.(\d)", lambda m: f"5.0.{int(m[1]) + 1}"),
    text("number in the title", r"/orders/(\d+)/", lambda m: f"/orders/{int(m[1]) + 1}/"),
    text("path beside a host", r"/orders/</td>", "/order/</td>"),
    text("zone of the server", r"\+0200", "+0100"),
    text("function", "in connect", "in close"),
    text("row missing", r"<tr><th>Request Method.*?</tr>", ""),
    text("text beside an id", "please include", "don't include"),
    status("status", 503),
)


def _news(world: World, side: Side) -> Reply:
    paris = timezone(timedelta(hours=1))
    months = [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ]
    days = ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"]
    local, stored = side.now().astimezone(paris), world.past().astimezone(paris)
    articles = "".join(
        f'<li id="a{world.number(100, 999)}"><a href="{side.url}/articles/{world.word()}.html">{world.title()} à l’été</a> '
        f'<span class="age">il y a {world.number(2, 11)} jours</span> <b>{world.cents(100, 9999) / 100:.2f} €</b></li>'
        for _ in range(4)
    )
    body = (
        f'<html lang="fr"><body><header>{days[local.weekday()]} {local.day} {months[local.month - 1]} {local.year}, '
        f"{local:%H} h {local:%M}</header><ul>{articles}</ul>"
        f"<p>Publié le {stored.day} {months[stored.month - 1]} {stored.year} à {stored:%H:%M}</p>"
        f"<p>Page préparée il y a {side.dice.randint(1, 4)} secondes</p></body></html>"
    )
    return (
        Reply(body, "text/html; charset=iso-8859-15", charset="iso-8859-15")
        if _fits(body)
        else Reply(body, "text/html; charset=utf-8")
    )


def _fits(body: str) -> bool:
    try:
        body.encode("iso-8859-15")
    except UnicodeEncodeError:
        return False
    return True


_NEWS_FAULTS = (
    text("days ago", r"il y a (\d+) jours", lambda m: f"il y a {int(m[1]) + 1} jours"),
    text("price", r"(\d) €", lambda m: f"{(int(m[1]) + 1) % 10} €"),
    text("currency", "€", "$"),
    text("published a year off", r"(\d{4}) à", lambda m: f"{int(m[1]) - 1} à"),
    text("published an hour off", r"à (\d\d):", lambda m: f"à {(int(m[1]) + 1) % 24:02d}:"),
    text("link beside a host", r"\.html", ".htm"),
    text("accent lost", "été", "ete"),
    text("item missing", r"<li.*?</li>", ""),
    text("items change places", r"(<li.*?</li>)(<li.*?</li>)", r"\2\1", most=8),
    text("language", 'lang="fr"', 'lang="fr-CA"'),
)


def _receipt(world: World, side: Side) -> Reply:
    rows = "\n".join(
        f"{world.word():<12}{world.number(1, 9):>3} x {world.cents(100, 9999) / 100:>8.2f}" for _ in range(4)
    )
    body = (
        f"RECEIPT No. {world.number(1000, 9999)}\n{'=' * 30}\n{rows}\n{'-' * 30}\nTOTAL {world.price():>20} USD\n"
        f"Paid {world.past():%d/%m/%Y}, printed {side.now():%d/%m/%Y %I:%M:%S %p}\nRef {side.hex(20)} / till {world.number(1, 9)}\n"
    )
    return Reply(body, "text/plain", target="/receipts/9.txt")


_RECEIPT_FAULTS = (
    text("number", r"No\. (\d+)", lambda m: f"No. {int(m[1]) + 1}"),
    text("total", r"\.(\d)(\d) USD", lambda m: f".{m[1]}{(int(m[2]) + 1) % 10} USD"),
    text("currency", "USD", "CAD"),
    text("quantity", r"(\d) x", lambda m: f"{int(m[1]) + 1} x"),
    text("paid a day off", r"Paid (\d\d)", lambda m: f"Paid {int(m[1]) % 28 + 1:02d}"),
    text("till beside noise", r"till (\d)", lambda m: f"till {int(m[1]) + 1}"),
    text("word beside noise", "printed", "reprinted"),
    text("half of the day", r" [AP]M", lambda m: " PM" if m[0] == " AM" else " AM"),
    text("rule shorter", "=" * 30, "=" * 29),
    text("row missing", r"\n[a-z]+ +\d x[^\n]*", ""),
)

SERVICES = (
    Service("blog page", _blog, _BLOG_FAULTS),
    Service("rendered app", _app, _APP_FAULTS),
    Service("sign-in form", _sign_in, _SIGN_IN_FAULTS),
    Service("checkout redirect", _redirect, _REDIRECT_FAULTS),
    Service("authorize redirect", _authorize, _AUTHORIZE_FAULTS),
    Service("crash page", _crash, _CRASH_FAULTS),
    Service("news in french", _news, _NEWS_FAULTS),
    Service("plain receipt", _receipt, _RECEIPT_FAULTS),
)
