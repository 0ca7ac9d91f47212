//! Connecting with encryption and credentials: the files that an address names, checked before they are
//! used, so that what is wrong with one is said by its option and its name, and never what is in it.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::{ConnectError, ConnectErrorKind, ConnectOptions};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use super::options::Options;
use crate::log::Error;
use crate::remote::{CONNECT_WAIT, RETRY_PAUSE};

/// How often the connection is tried, so that a dead one is found.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// The longest pause between two attempts to connect again.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_millis(500);
/// The longest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The characters of a seed: a prefix of 2 bytes, 32 bytes and a checksum of 2, in base 32.
const SEED_CHARACTERS: usize = 58;
/// What a file with a secret must not be: writable by its group, or anything by others. Its group may
/// read it, since secrets are often mounted so for a service.
#[cfg(unix)]
const MODE_TOO_OPEN: u32 = 0o027;

pub(super) async fn connect_options(options: &Options) -> Result<ConnectOptions, Error> {
    let mut connect = ConnectOptions::new()
        .name("tranche")
        .connection_timeout(CONNECT_WAIT)
        .ping_interval(PING_INTERVAL)
        // Other servers of the cluster are told without a scheme.
        .require_tls(options.servers.iter().any(|server| server.starts_with("tls://")))
        .reconnect_delay_callback(|attempts| {
            let pause = RETRY_PAUSE * u32::try_from(attempts).unwrap_or(u32::MAX).min(100);
            pause.min(RECONNECT_PAUSE_MAX)
        });
    if let Some(path) = &options.credentials {
        let text = secret("credentials", path)?;
        let wrong = |_| bad("credentials", path, "it is no .creds file with a JWT and a seed");
        connect = connect.credentials(&text).map_err(wrong)?;
    }
    if let Some(path) = &options.nkey {
        let text = secret("nkey", path)?;
        let seed = text.trim();
        let is_base32 = |c: u8| c.is_ascii_uppercase() || (b'2'..=b'7').contains(&c);
        if seed.len() != SEED_CHARACTERS || !seed.starts_with("SU") || !seed.bytes().all(is_base32)
        {
            return Err(bad("nkey", path, "it is not the seed of a user (SU...)"));
        }
        connect = connect.nkey(seed.to_owned());
    }
    if let Some(path) = &options.ca {
        has_pem("ca", path, &text("ca", path)?, "CERTIFICATE-----")?;
        connect = connect.add_root_certificates(path.clone());
    }
    if let (Some(cert), Some(key)) = (&options.cert, &options.key) {
        has_pem("cert", cert, &text("cert", cert)?, "CERTIFICATE-----")?;
        has_pem("key", key, &secret("key", key)?, "PRIVATE KEY-----")?;
        connect = connect.add_client_certificate(cert.clone(), key.clone());
    }
    Ok(connect)
}

/// Why connecting failed, with the file that the servers did not like.
pub(super) fn why(options: &Options, error: &ConnectError) -> String {
    match (error.kind(), &options.nkey) {
        (ConnectErrorKind::AuthorizationViolation, _) => not_let_in(options),
        (ConnectErrorKind::Authentication, Some(path)) => {
            format!("nkey={}: it is not a valid key", path.display())
        }
        _ => with_advice(&error.to_string()),
    }
}

/// What rustls says of a server, with what to do about it.
fn with_advice(said: &str) -> String {
    let advice = [
        ("InvalidContentType", "it does not speak TLS, which is nats:// rather than tls://"),
        ("UnknownIssuer", "nobody trusted here has issued its certificate, which is ca=FILE"),
        ("NotValidForName", "its certificate is for other names"),
    ];
    let found = advice.iter().find(|(sign, _)| said.contains(sign));
    found.map_or_else(|| said.to_owned(), |(_, advice)| format!("{said}: {advice}"))
}

/// Why the servers may have refused the user of the options.
pub(super) fn not_let_in(options: &Options) -> String {
    match (&options.credentials, &options.nkey) {
        (Some(path), _) => {
            let path_is = format!("credentials={}", path.display());
            match text("credentials", path).ok().and_then(|text| expired(&text)) {
                Some(ago) => format!("{path_is}: its JWT expired {} s ago", ago.as_secs()),
                None => format!("{path_is}: the server does not know this user"),
            }
        }
        (None, Some(path)) => {
            format!("nkey={}: the server does not know this user", path.display())
        }
        (None, None) => "authorization violation: the server wants a login".to_owned(),
    }
}

/// How long ago the JWT of a `.creds` file has expired, by the clock here, if it has.
fn expired(credentials: &str) -> Option<Duration> {
    let is_begin = |line: &&str| line.contains("BEGIN NATS USER JWT");
    let jwt = credentials.lines().skip_while(|line| !is_begin(line)).nth(1)?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(jwt.trim().split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let end = Duration::from_secs(claims["exp"].as_u64().filter(|end| *end > 0)?);
    SystemTime::now().duration_since(UNIX_EPOCH.checked_add(end)?).ok()
}

fn text(option: &str, path: &Path) -> Result<String, Error> {
    let failed = |error: std::io::Error| bad(option, path, &error.to_string());
    let meta = fs::metadata(path).map_err(failed)?;
    if !meta.is_file() || meta.len() > FILE_BYTES_MAX {
        return Err(bad(option, path, "it is not a file, or too long"));
    }
    fs::read_to_string(path).map_err(failed)
}

/// The text of a file that others must not read.
fn secret(option: &str, path: &Path) -> Result<String, Error> {
    let text = text(option, path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let meta = fs::metadata(path).map_err(|error| bad(option, path, &error.to_string()))?;
        let mode = meta.permissions().mode() & 0o777;
        if mode & MODE_TOO_OPEN != 0 {
            let what = format!("its mode is {mode:03o}, and others could use it: chmod 600");
            return Err(bad(option, path, &what));
        }
    }
    Ok(text)
}

fn has_pem(option: &str, path: &Path, text: &str, label: &str) -> Result<(), Error> {
    let is_there = text.contains("-----BEGIN ") && text.contains(label);
    let what = format!("there is no PEM block that ends in {}", label.trim_end_matches('-'));
    if is_there { Ok(()) } else { Err(bad(option, path, &what)) }
}

fn bad(option: &str, path: &Path, what: &str) -> Error {
    Error::Unavailable(format!("{option}={}: {what}", path.display()))
}
