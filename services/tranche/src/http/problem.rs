//! Saying no over HTTP: every refusal is an RFC 9457 problem with a code that has a page of its own
//! (`/problems/<code>`), the rule it rests on, and the fields at fault.

use crate::field_errors::FieldError;
use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::Refusal;
use domain::kernel::refusal::{RefusalKind, Rule};
use serde::Serialize;
use std::borrow::Cow;
use std::time::Duration;

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// When to try again, unless something better is known.
const RETRY_AFTER_USUAL: Duration = Duration::from_secs(1);

/// What the HTTP layer itself refuses, before any rule is asked. Code, status and meaning.
pub const OWN: &[(&str, StatusCode, &str)] = &[
    ("http.bad_header", StatusCode::BAD_REQUEST, "A header of the request cannot be read."),
    ("http.bad_query", StatusCode::BAD_REQUEST, "A parameter in the address cannot be read."),
    ("http.bad_path", StatusCode::BAD_REQUEST, "A part of the address cannot be read."),
    ("http.bad_body", StatusCode::BAD_REQUEST, "The body could not be received."),
    ("http.not_found", StatusCode::NOT_FOUND, "Nothing is at this address."),
    ("http.method_not_allowed", StatusCode::METHOD_NOT_ALLOWED, "Not with this method."),
    (
        "http.not_acceptable",
        StatusCode::NOT_ACCEPTABLE,
        "This cannot be given in a media type that the request accepts.",
    ),
    (
        "http.too_slow",
        StatusCode::REQUEST_TIMEOUT,
        "The body did not come in time. Nothing was recorded.",
    ),
    ("http.too_large", StatusCode::PAYLOAD_TOO_LARGE, "The body is longer than its limit."),
    (
        "http.other_hash",
        StatusCode::BAD_REQUEST,
        "The body of a document does not have the hash that the address says. It was not kept.",
    ),
    (
        "http.damaged",
        StatusCode::INTERNAL_SERVER_ERROR,
        "What is kept under this hash is not what was put there.",
    ),
    (
        "http.media_type",
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "The body of a command is application/json.",
    ),
    (
        "http.internal",
        StatusCode::INTERNAL_SERVER_ERROR,
        "A fault of this program. Nothing was acknowledged.",
    ),
    (
        "http.no_keys",
        StatusCode::CONFLICT,
        "It brings personal data, and this instance has no keys to seal it with.",
    ),
    ("http.busy", StatusCode::SERVICE_UNAVAILABLE, "Too many commands are waiting. Try again."),
    (
        "http.unavailable",
        StatusCode::SERVICE_UNAVAILABLE,
        "The log did not answer, so it is not known whether the command was stored. Send it again \
         with the same Idempotency-Key.",
    ),
    ("http.stopping", StatusCode::SERVICE_UNAVAILABLE, "The server is stopping. Try again."),
    ("http.not_ready", StatusCode::SERVICE_UNAVAILABLE, "The server is not ready to work."),
    (
        "http.wrong_host",
        StatusCode::MISDIRECTED_REQUEST,
        "The server listens on loopback and was called by another name: a page of another site may be \
         behind it.",
    ),
    ("http.timeout", StatusCode::GATEWAY_TIMEOUT, "It took longer than the request may wait."),
];

/// An answer that says no.
#[derive(Clone, Debug)]
pub struct Problem {
    code: Cow<'static, str>,
    status: StatusCode,
    detail: String,
    rule: Option<Rule>,
    errors: Vec<FieldError>,
    allow: Option<HeaderValue>,
    retry_after: Duration,
}

/// Its body, in the order of RFC 9457.
#[derive(Serialize)]
struct Body9457<'a> {
    r#type: String,
    title: String,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a Rule>,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
}

/// The code in words: `fund.appropriation_exceeded` is `Appropriation exceeded`.
#[must_use]
pub fn title(code: &str) -> String {
    let words = code.rsplit('.').next().unwrap_or(code).replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The status of a kind of refusal.
#[must_use]
pub fn status(kind: RefusalKind) -> StatusCode {
    match kind {
        RefusalKind::Malformed => StatusCode::BAD_REQUEST,
        RefusalKind::Forbidden => StatusCode::FORBIDDEN,
        RefusalKind::NotFound => StatusCode::NOT_FOUND,
        RefusalKind::Conflict => StatusCode::CONFLICT,
        RefusalKind::Rule => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl Problem {
    /// One of [`OWN`].
    #[must_use]
    pub fn own(code: &'static str, detail: impl Into<String>) -> Self {
        let known = OWN.iter().find(|(own, ..)| *own == code);
        debug_assert!(known.is_some(), "{code} is not in the table");
        let status = known.map_or(StatusCode::INTERNAL_SERVER_ERROR, |(_, status, _)| *status);
        Self {
            code: code.into(),
            status,
            detail: detail.into(),
            rule: None,
            errors: Vec::new(),
            allow: None,
            retry_after: RETRY_AFTER_USUAL,
        }
    }

    /// A header that cannot be read.
    #[must_use]
    pub fn header(name: &str, why: impl std::fmt::Display) -> Self {
        Self::own("http.bad_header", format!("{name}: {why}"))
    }

    /// A parameter that cannot be read.
    #[must_use]
    pub fn query(name: &str, why: impl std::fmt::Display) -> Self {
        Self::own("http.bad_query", format!("{name}: {why}"))
    }

    /// A refusal with the fields at fault.
    #[must_use]
    pub fn refused(refusal: Refusal, errors: Vec<FieldError>) -> Self {
        Self {
            status: status(refusal.kind),
            code: refusal.code,
            detail: refusal.message,
            rule: Some(refusal.rule),
            errors,
            allow: None,
            retry_after: RETRY_AFTER_USUAL,
        }
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Its sentence.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// With another status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// With the time after which it may be worth another try.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = after;
        self
    }

    /// With the methods that are allowed.
    #[must_use]
    pub fn allowing(mut self, allow: Option<HeaderValue>) -> Self {
        self.allow = allow;
        self
    }

    /// The response; `instance` names this occurrence.
    #[must_use]
    pub fn response(&self, instance: Option<String>) -> Response {
        let body = Body9457 {
            r#type: format!("/problems/{}", self.code),
            title: title(&self.code),
            status: self.status.as_u16(),
            detail: &self.detail,
            instance,
            code: &self.code,
            rule: self.rule.as_ref(),
            errors: &self.errors,
        };
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (self.status, Body::from(json)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        self.wearing(response)
    }

    /// A response with the headers of this problem.
    #[must_use]
    pub fn wearing(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from(self.retry_after.as_secs().max(1)));
        }
        if let Some(allow) = &self.allow {
            headers.insert(ALLOW, allow.clone());
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let errors = FieldError::of(&refusal).into_iter().collect();
        Self::refused(refusal, errors)
    }
}

impl IntoResponse for Problem {
    /// The problem goes along as an extension: the outermost layer writes it again with its instance.
    fn into_response(self) -> Response {
        let mut response = self.response(None);
        response.extensions_mut().insert(std::sync::Arc::new(self));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_own_problem_has_one_code_and_an_error_status() {
        for (index, (code, status, meaning)) in OWN.iter().enumerate() {
            assert!(status.is_client_error() || status.is_server_error(), "{code}");
            assert!(meaning.ends_with('.'), "{code}");
            assert!(!OWN[..index].iter().any(|(other, ..)| other == code), "{code} twice");
        }
    }

    #[test]
    fn a_code_reads_as_words() {
        assert_eq!(title("fund.appropriation_exceeded"), "Appropriation exceeded");
    }

    #[test]
    fn a_refusal_names_the_field_and_the_rule() {
        let refusal = domain::Parsed::read("fund.vote", b"{}").unwrap_err();
        let problem = Problem::from(refusal);
        assert_eq!(problem.status, StatusCode::NOT_FOUND);
        assert!(problem.rule.is_some());
        let refusal = domain::Parsed::read("claim.withdraw", br#"{"claim":"a b","reason":"x"}"#);
        let problem = Problem::from(refusal.unwrap_err());
        assert_eq!(problem.status, StatusCode::BAD_REQUEST);
        assert_eq!(problem.errors[0].pointer, "/claim");
    }
}
