//! One request to another service over HTTP or HTTPS: to a witness, or to an authority that stamps times.
//! It trusts nobody: the answer has a limit and a time, and no redirect is followed.
//!
//! The certificate of a server must be from an authority that this system knows. The variables
//! `SSL_CERT_FILE` and `SSL_CERT_DIR` name other authorities, as they do for S3 and for OpenSSL.

use axum::body::{Body, to_bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::uri::Scheme;
use axum::http::{Request, Uri};
use bytes::Bytes;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::TokioExecutor;
use rustls::CertificateError;
use rustls::crypto::ring;
use std::time::Duration;

/// How long an exchange may take, from the look-up of the name to the last byte of the answer.
pub const POST_MAX: Duration = Duration::from_secs(30);
/// The longest head of an answer, in bytes.
pub const ANSWER_HEAD_MAX: usize = 16 * 1024;
/// So many errors are told of one failure, each with what caused it.
const CAUSES_MAX: usize = 8;

/// What came back, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status, such as 200.
    pub status: u16,
    /// The content type, without its parameters; empty when there is none.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The address cannot be used.
    #[error("{url}: {what}")]
    Address {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Nobody there, nothing in time, too much of it, or a certificate that is not believed.
    #[error("{url}: {why}")]
    Unreachable {
        /// As it was given.
        url: String,
        /// Why.
        why: String,
    },
}

/// Sends a body, and takes an answer of at most `answer_max` bytes.
///
/// # Errors
/// [`PostError`], when there is no answer.
pub async fn post(
    url: &str,
    content_type: &'static str,
    body: impl Into<Bytes>,
    answer_max: usize,
) -> Result<Answer, PostError> {
    let uri = parse(url)?;
    let is_secret = uri.scheme() == Some(&Scheme::HTTPS);
    let request = Request::post(uri).header(CONTENT_TYPE, content_type);
    let request = request.body(Body::from(body.into())).map_err(|error| error.to_string());
    let exchange = async {
        if is_secret {
            let authorities = HttpsConnectorBuilder::new()
                .with_provider_and_native_roots(ring::default_provider())
                .map_err(|error| format!("no authority of certificates is known here: {error}"))?;
            let connector = authorities.https_only().enable_http1().build();
            exchange(connector, request?, answer_max).await
        } else {
            exchange(HttpConnector::new(), request?, answer_max).await
        }
    };
    let done = tokio::time::timeout(POST_MAX, exchange).await;
    let done = done.map_err(|_| format!("no answer within {} seconds", POST_MAX.as_secs()));
    done.and_then(|answer| answer)
        .map_err(|why| PostError::Unreachable { url: url.to_owned(), why })
}

fn parse(url: &str) -> Result<Uri, PostError> {
    let wrong = |what| PostError::Address { url: url.to_owned(), what };
    let uri: Uri = url.parse().map_err(|_| wrong("not an address"))?;
    if uri.scheme() != Some(&Scheme::HTTP) && uri.scheme() != Some(&Scheme::HTTPS) {
        return Err(wrong("it does not begin with https:// or http://"));
    }
    let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
    if authority.as_str().contains('@') {
        return Err(wrong("a name and a password have no place in it"));
    }
    Ok(uri)
}

async fn exchange(
    connector: impl Connect + Clone + Send + Sync + 'static,
    request: Request<Body>,
    answer_max: usize,
) -> Result<Answer, String> {
    let client = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .http1_max_buf_size(ANSWER_HEAD_MAX)
        .build(connector);
    let answer = client.request(request).await.map_err(|error| causes(&error))?;
    let (head, body) = answer.into_parts();
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    let body = to_bytes(Body::new(body), answer_max).await;
    let body = body.map_err(|error| {
        format!("the answer, of at most {answer_max} bytes: {}", causes(&error))
    })?;
    Ok(Answer {
        status: head.status.as_u16(),
        content_type: content_type.trim().to_ascii_lowercase(),
        body,
    })
}

/// Tells an error with what caused it, outermost first; of a certificate that is not believed, only why.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source()).take(CAUSES_MAX);
    let mut told: Vec<String> = Vec::new();
    for cause in chain {
        if let Some(rustls::Error::InvalidCertificate(why)) = tls(cause) {
            let why = match why {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    "no authority that is known here has issued it; the variable SSL_CERT_FILE \
                     names a file of others"
                        .to_owned()
                }
                why => why.to_string(),
            };
            return format!("its certificate is not believed: {why}");
        }
        let said = cause.to_string();
        if told.last() != Some(&said) {
            told.push(said);
        }
    }
    told.join(": ")
}

/// Finds the error of TLS, which travels inside errors of input and output.
fn tls<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let inner = error.downcast_ref::<std::io::Error>()?.get_ref()?;
    inner.downcast_ref().or_else(|| tls(inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[test]
    fn only_addresses_of_http_and_https_are_taken() {
        for good in ["http://[::1]:80/a?b", "https://a/", "HTTPS://a.example"] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in ["a/b", "ftp://a", "https://me:secret@a/", "", "http:///x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn who_is_not_there_is_named() {
        for url in ["http://127.0.0.1:1/x", "https://127.0.0.1:1/x"] {
            let error = post(url, "text/plain", "", 1).await.unwrap_err();
            assert!(error.to_string().starts_with(&format!("{url}: ")), "{error}");
        }
    }

    /// Answers one connection with these bytes, whatever it is asked.
    async fn answering(bytes: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut line, _) = listener.accept().await.unwrap();
            // The request is small, and comes at once.
            assert!(line.read(&mut [0; 1024]).await.unwrap() > 0, "it asks");
            line.write_all(bytes.as_bytes()).await.unwrap();
            // The other side ends it.
            let _ = tokio::io::copy(&mut line, &mut tokio::io::sink()).await;
        });
        url
    }

    #[tokio::test]
    async fn an_answer_has_a_limit_and_no_redirect_is_followed() {
        let moved = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\
                     Content-Length: 0\r\n\r\n";
        let answer = post(&answering(moved.to_owned()).await, "text/plain", "", 9).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (302, 0));
        let ten = "HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; a=b\r\n\
                   Content-Length: 10\r\n\r\n0123456789";
        let answer = post(&answering(ten.to_owned()).await, "text/plain", "", 10).await.unwrap();
        assert_eq!((answer.content_type.as_str(), answer.body.len()), ("text/plain", 10));
        let error = post(&answering(ten.to_owned()).await, "text/plain", "", 9).await.unwrap_err();
        assert!(error.to_string().contains("the answer, of at most 9 bytes"), "{error}");
        let head = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "a".repeat(2 * ANSWER_HEAD_MAX));
        assert!(post(&answering(head).await, "text/plain", "", 9).await.is_err());
    }
}
