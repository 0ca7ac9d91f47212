//! Everything that is read, path by path.

use super::parts::{OF_JOURNAL, header, named};
use super::{parameter, refused, schema};
use crate::documents::DOCUMENT_BYTES_MAX;
use serde_json::{Map, Value, json};

/// A GET.
struct Get {
    path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    parameters: &'static [&'static str],
    media: &'static [(&'static str, Option<&'static str>)],
    problems: &'static [(&'static str, &'static str)],
}

const JSON: &str = "application/json";
const BAD: (&str, &str) = ("400", "Malformed");
const MISSING: (&str, &str) = ("404", "NotFound");
const NOT_READY: (&str, &str) = ("503", "Unavailable");

const DOCUMENTS: &str = "/documents/{sha256}";

const EXPORTED: &[&str] = &["Exported", "AsOf", "KnownAt", "AtPosition", "Zone", "Call"];

const GETS: &[Get] = &[
    Get {
        path: "/views",
        id: "views.list",
        tag: "read",
        summary: "The views by name",
        parameters: &[],
        media: &[(JSON, None)],
        problems: &[],
    },
    Get {
        path: "/views/{view}",
        id: "views.read",
        tag: "read",
        summary: "What a view answers, as of any moment; also as text/csv (its first table)",
        parameters: &[
            "View",
            "AsOf",
            "KnownAt",
            "AtPosition",
            "WaitFor",
            "Zone",
            "Call",
            "ByActor",
            "ByRole",
            "OfStream",
            "OfCategory",
            "Rows",
            OF_JOURNAL,
        ],
        media: &[(JSON, Some("Report")), ("text/csv", None)],
        problems: &[BAD, MISSING, ("406", "NotAcceptable"), NOT_READY, ("504", "Timeout")],
    },
    Get {
        path: "/exports/{what}",
        id: "exports.read",
        tag: "read",
        summary: "A population or the journal for other programs, as of any moment; postings with the names \
                  of GL_Details of ISO 21378",
        parameters: EXPORTED,
        media: &[("text/csv", None), ("application/jsonl", None)],
        problems: &[BAD, MISSING, ("406", "NotAcceptable"), NOT_READY],
    },
    Get {
        path: "/exports/{what}/totals",
        id: "exports.totals",
        tag: "read",
        summary: "The control totals of the CSV: its lines, its sums and its digest",
        parameters: EXPORTED,
        media: &[("text/csv", None)],
        problems: &[BAD, MISSING, ("406", "NotAcceptable"), NOT_READY],
    },
    Get {
        path: "/views/{view}/why",
        id: "views.why",
        tag: "read",
        summary: "Where a figure comes from: every event that changed it, with command, actor, rules, \
                  documents and how to prove it",
        parameters: &["View", "Pointer", "Newest", "AsOf", "KnownAt", "AtPosition", "Zone", "Call"],
        media: &[(JSON, Some("Why"))],
        problems: &[BAD, MISSING, ("406", "NotAcceptable"), NOT_READY],
    },
    Get {
        path: "/views/{view}/diff",
        id: "views.diff",
        tag: "read",
        summary: "What changed between two moments, and what changed it",
        parameters: &[
            "View",
            "Earlier",
            "Later",
            "Clock",
            "EarlierPosition",
            "LaterPosition",
            "Zone",
            "Call",
        ],
        media: &[(JSON, Some("Difference"))],
        problems: &[BAD, MISSING, ("406", "NotAcceptable"), NOT_READY],
    },
    Get {
        path: "/log",
        id: "log.read",
        tag: "read",
        summary: "The commits, one per line, byte for byte as they are hashed: all, or those that are \
                  asked for; as text/event-stream all, going on with those to come, and \
                  Last-Event-ID resumes",
        parameters: &[
            "From",
            "Limit",
            "LastEventId",
            "WhoseActor",
            "WhoseRole",
            "OfCommand",
            "OfStream",
            "OfCategory",
            "OfType",
            "Since",
            "Until",
            "TrueSince",
            "TrueUntil",
            "ScopeCall",
            "ScopeGrant",
            "Zone",
        ],
        media: &[("application/jsonl", None), ("text/event-stream", None)],
        problems: &[BAD, MISSING, ("406", "NotAcceptable"), NOT_READY],
    },
    Get {
        path: "/log/{position}",
        id: "log.commit",
        tag: "read",
        summary: "One commit, byte for byte as it is hashed",
        parameters: &["Position"],
        media: &[(JSON, Some("Commit"))],
        problems: &[BAD, MISSING, NOT_READY],
    },
    Get {
        path: "/checkpoint",
        id: "proof.checkpoint",
        tag: "proof",
        summary: "The newest signed checkpoint of the log (c2sp.org/tlog-checkpoint), if this instance has \
                  keys",
        parameters: &[],
        media: &[("text/plain", None)],
        problems: &[MISSING, NOT_READY],
    },
    Get {
        path: "/tile/{path}",
        id: "proof.tile",
        tag: "proof",
        summary: "A tile of the Merkle tree, or a bundle of entries (c2sp.org/tlog-tiles)",
        parameters: &["TilePath"],
        media: &[("application/octet-stream", None)],
        problems: &[BAD, MISSING, NOT_READY],
    },
    Get {
        path: "/proofs/{position}",
        id: "proof.commit",
        tag: "proof",
        summary: "That a commit is in the log, as a .tlog-proof (c2sp.org/tlog-proof)",
        parameters: &["Position"],
        media: &[("text/plain", None)],
        problems: &[BAD, MISSING, NOT_READY],
    },
    Get {
        path: DOCUMENTS,
        id: "documents.read",
        tag: "proof",
        summary: "A document by its hash, unchanged, if this instance keeps documents",
        parameters: &["Document"],
        media: &[("application/octet-stream", None)],
        problems: &[BAD, MISSING, ("500", "Damaged"), NOT_READY],
    },
    Get {
        path: "/streams/{stream}",
        id: "streams.read",
        tag: "read",
        summary: "The version and the phase of a stream",
        parameters: &["Stream"],
        media: &[(JSON, Some("Stream"))],
        problems: &[BAD, MISSING],
    },
    Get {
        path: "/commands",
        id: "commands.list",
        tag: "about",
        summary: "What is declared about every command",
        parameters: &[],
        media: &[(JSON, None)],
        problems: &[],
    },
    Get {
        path: "/commands/{command}",
        id: "commands.read",
        tag: "about",
        summary: "What is declared about one command, with the JSON Schema of its payload",
        parameters: &["Command"],
        media: &[(JSON, None)],
        problems: &[MISSING],
    },
    Get {
        path: "/problems",
        id: "problems.list",
        tag: "about",
        summary: "Every code that a problem can have",
        parameters: &[],
        media: &[(JSON, None)],
        problems: &[],
    },
    Get {
        path: "/problems/{code}",
        id: "problems.read",
        tag: "about",
        summary: "What a code means",
        parameters: &["Code"],
        media: &[(JSON, None), ("text/html", None)],
        problems: &[MISSING],
    },
    Get {
        path: "/openapi.json",
        id: "openapi",
        tag: "about",
        summary: "This document",
        parameters: &[],
        media: &[(JSON, None)],
        problems: &[],
    },
    Get {
        path: "/asyncapi.json",
        id: "asyncapi",
        tag: "about",
        summary: "What is published over NATS, as an AsyncAPI document",
        parameters: &[],
        media: &[(JSON, None)],
        problems: &[],
    },
    Get {
        path: "/metrics",
        id: "metrics",
        tag: "about",
        summary: "Figures for Prometheus",
        parameters: &[],
        media: &[("text/plain", None)],
        problems: &[],
    },
    Get {
        path: "/healthz",
        id: "healthz",
        tag: "about",
        summary: "Whether the process lives",
        parameters: &[],
        media: &[(JSON, None)],
        problems: &[],
    },
    Get {
        path: "/readyz",
        id: "readyz",
        tag: "about",
        summary: "Whether the log answers, the writer works if it is here, and who writes",
        parameters: &[],
        media: &[(JSON, None)],
        problems: &[NOT_READY],
    },
];

/// The paths.
pub(super) fn paths() -> Map<String, Value> {
    let paths = GETS.iter().map(|get| (get.path.to_owned(), json!({ "get": get.operation() })));
    let mut paths: Map<String, Value> = paths.collect();
    paths[DOCUMENTS]["put"] = put_document();
    paths
}

/// The one thing that is put.
fn put_document() -> Value {
    let kept = |description: &str| {
        json!({
            "description": description,
            "headers": { "Request-Id": header("RequestId") },
            "content": { JSON: { "schema": schema("Kept") } },
        })
    };
    let problems =
        [BAD, MISSING, ("408", "TooSlow"), ("413", "TooLarge"), ("500", "Internal"), NOT_READY];
    let mut responses = refused(&problems);
    responses.insert("200".to_owned(), kept("It was there."));
    responses.insert("201".to_owned(), kept("It is kept."));
    json!({
        "operationId": "documents.put",
        "tags": ["proof"],
        "summary": "Keeps a document under its hash, for a command that names it",
        "parameters": [parameter("Document")],
        "requestBody": {
            "required": true,
            "description": format!("At most {DOCUMENT_BYTES_MAX} bytes, of any kind."),
            "content": { "application/octet-stream": { "schema": { "type": "string" } } },
        },
        "responses": responses,
    })
}

impl Get {
    fn operation(&self) -> Value {
        let content: Map<String, Value> = self
            .media
            .iter()
            .map(|(media, name)| {
                let shape = match (name, *media) {
                    (Some(name), _) => schema(name),
                    (None, JSON) => json!({}),
                    (None, _) => json!({ "type": "string" }),
                };
                ((*media).to_owned(), json!({ "schema": shape }))
            })
            .collect();
        let mut responses = refused(self.problems);
        // A header that begins like ours and is none is refused everywhere.
        responses.extend(refused(&[BAD]));
        responses.insert(
            "200".to_owned(),
            json!({
                "description": self.summary,
                "headers": { "Request-Id": header("RequestId") },
                "content": content,
            }),
        );
        if self.id.starts_with("views.") && self.id != "views.list" {
            let unchanged = json!({ "description": "It is as If-None-Match says." });
            responses.insert("304".to_owned(), unchanged);
        }
        let parameters = self.parameters.iter().flat_map(|name| named(name));
        let parameters: Vec<Value> = parameters.map(|name| parameter(&name)).collect();
        json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "parameters": parameters,
            "responses": responses,
        })
    }
}
