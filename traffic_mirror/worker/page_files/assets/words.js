// The ledger's words, with what each means. The same words as in the spec's reference, the metrics and the log.

import { share } from "./format.js";

export const OUTCOMES = [
  { name: "delivered", label: "delivered", means: "The destination answered; the reason is the status class." },
  { name: "failed", label: "failed", means: "The copy was tried and got no whole answer." },
  { name: "dropped", label: "dropped", means: "The copy was given up before it was sent, to keep a bound." },
  { name: "skipped", label: "skipped", means: "The request is none that can or should be copied." },
  { name: "sampled_out", label: "sampled out", means: "A sample rate or rate cap left it out." },
];

export const VERDICTS = [
  { name: "match", label: "match" },
  { name: "differ", label: "differ" },
  { name: "incomparable", label: "incomparable" },
];

export const REASONS = {
  "delivered 1xx": "answered with an interim status",
  "delivered 2xx": "answered with success",
  "delivered 3xx": "answered with a redirect, which is not followed",
  "delivered 4xx": "answered that the request is wrong",
  "delivered 5xx": "answered with a server error",
  "failed dns": "the host name could not be resolved",
  "failed connect": "no connection could be made",
  "failed no_socket": "the worker could not open a socket, most likely for lack of files or local ports",
  "failed proxy": "the destination's proxy refused",
  "failed tls": "the TLS handshake or the certificate check failed",
  "failed timeout": "no whole answer within the destination's timeout",
  "failed reset": "the connection ended before the answer did",
  "failed protocol": "what came is no HTTP answer, or of another version than asked for",
  "failed websocket_refused": "a WebSocket's upgrade was answered with something else",
  "failed websocket_closed": "the WebSocket was closed before the client did",
  "failed other": "another error; the failures say which",
  "dropped edge_full": "the worker was behind and the proxy's buffer was full",
  "dropped queue_full": "the destination's queue was full",
  "dropped deadline": "it waited in the queue for longer than the timeout",
  "dropped breaker_open": "the destination failed too often; its circuit breaker is open",
  "dropped slow": "the destination took a streamed body too slowly",
  "dropped client_gone": "the client gave up before its streamed body was whole",
  "dropped primary_failed": "the primary failed before the first byte of a streamed body was read",
  "dropped worker_lost": "the worker ended with the copy in hand",
  "dropped shutdown": "the proxy stopped before it was sent",
  "skipped loop": "it carries the marker of a copy itself",
  "skipped websocket": "it asks to become a WebSocket, which the rule does not mirror",
  "skipped websocket_refused": "the primary refused the WebSocket",
  "skipped body_too_large": "its body is over the rule's max_body",
  "skipped body_unavailable": "its body was not kept by the proxy",
  "skipped paused": "mirroring was paused",
  "skipped unsafe_method": "a baseline is made of safe methods only",
  "skipped unredactable": "its body could not be masked as redact asks",
  "skipped unsendable": "a line's end or NUL in its line or a header, or a head larger than libcurl sends",
  "sampled_out rule_rate": "left out by the rule's sample_rate",
  "sampled_out destination_rate": "left out by the destination's sample_rate",
  "sampled_out rate_cap": "over the rule's max_rate",
};

export const HEALTH = {
  healthy: ["good", "healthy"],
  idle: ["idle", "idle"],
  losing: ["warn", "some fail"],
  half_open: ["warn", "trying again"],
  failing: ["bad", "failing"],
  open: ["bad", "breaker open"],
};

export const KINDS = {
  value: "differs",
  type: "other type",
  added: "only in the copy",
  removed: "only in the primary",
  order: "other order",
};

export const parts = (words, counts) => words.map(({ name, label }) => ({ name, label, n: counts[name] || 0 }));
// Verdicts in a few words; shares are of what could be compared.
export function verdictWords({ match, differ, incomparable }) {
  if (differ) return `${share(differ, match + differ)} differ`;
  return match ? "none differs" : incomparable ? "incomparable" : "not compared";
}

export const agreement = ({ match = 0, differ = 0 }) => (match + differ ? match / (match + differ) : null);
