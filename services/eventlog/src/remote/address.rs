//! Addresses such as `SCHEME://one:1234,two:1234/STREAM?option=value`.

/// The longest name of a stream, since servers make files of it.
const STREAM_CHARACTERS_MAX: usize = 128;

/// Says what is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url}: {what}; the form is {form}")]
pub struct BadUrl {
    /// The address, without what may be a password.
    pub url: String,
    /// Says what is wrong with it.
    pub what: String,
    /// Shows the form of an address.
    pub form: &'static str,
}

impl BadUrl {
    pub(crate) fn new(url: &str, what: &str, form: &'static str) -> BadUrl {
        BadUrl { url: without_password(url), what: what.to_owned(), form }
    }
}

/// The parts of an address.
pub(crate) struct Address<'a> {
    pub(crate) scheme: &'a str,
    /// With their ports.
    pub(crate) hosts: Vec<String>,
    /// Letters, digits, `-` and `_`.
    pub(crate) stream: &'a str,
    query: &'a str,
}

impl<'a> Address<'a> {
    /// Takes an address apart, or says what is wrong with it. Hosts without a port get this one.
    pub(crate) fn parse(url: &'a str, schemes: &[&str], port: u16) -> Result<Address<'a>, String> {
        let (scheme, rest) = url.split_once("://").ok_or("a scheme is missing")?;
        if !schemes.contains(&scheme) {
            return Err(format!("the scheme must be {}", schemes.join(" or ")));
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        if place.contains('@') {
            return Err("no passwords here: name a file, as with credentials=".to_owned());
        }
        let (hosts, stream) = place.split_once('/').unwrap_or((place, ""));
        let hosts: Option<Vec<String>> =
            hosts.split(',').map(|host| with_port(host, port)).collect();
        let hosts = hosts.ok_or("a host is empty or its port is no number")?;
        if !is_stream_name(stream) {
            let what = "after the hosts must be the stream's name: letters, digits, - and _";
            return Err(what.to_owned());
        }
        Ok(Address { scheme, hosts, stream, query })
    }

    /// Its options, in order.
    pub(crate) fn options(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }
}

pub(crate) fn is_stream_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !name.is_empty() && name.len() <= STREAM_CHARACTERS_MAX && name.chars().all(fits)
}

/// The host with its port. A host in brackets is an address of IPv6.
fn with_port(host: &str, port: u16) -> Option<String> {
    let name_end = if host.starts_with('[') { host.find(']')? + 1 } else { 0 };
    match host[name_end..].rsplit_once(':') {
        Some((before, port)) => {
            let is_named = name_end > 0 || !before.is_empty();
            (is_named && port.parse::<u16>().is_ok()).then(|| host.to_owned())
        }
        None => (!host.is_empty()).then(|| format!("{host}:{port}")),
    }
}

fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!("{}://***{}", &url[..scheme], &url[at..])
        }
        _ => url.to_owned(),
    }
}
