//! Where the stream is and how to log in, from an address such as
//! `nats://one:4222,two:4222/tranche?replicas=3&credentials=/etc/tranche/nats.creds`.

use std::path::PathBuf;
use std::str::FromStr;

pub use crate::remote::address::BadUrl;
use crate::remote::address::{self, Address};

/// On how many servers the stream is kept, unless the address says otherwise. With three, one may be
/// lost.
pub const REPLICAS: usize = 3;
/// The beginning of the subjects of the JetStream API, unless the address says otherwise.
pub const API: &str = "$JS.API";
/// The port of a server that is named without one.
const PORT: u16 = 4222;
/// Where the stream is, and how to log in.
///
/// Secrets are in files, never in the address: that is seen in process lists and logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `nats://HOST:PORT`, or `tls://HOST:PORT` for a connection that must be encrypted. Any of them
    /// will do; a cluster tells its other servers.
    pub servers: Vec<String>,
    /// The stream: letters, digits, `-` and `_`. The log's subject is `STREAM.log`, and what the
    /// server tells about new groups comes on `STREAM.stored`.
    pub stream: String,
    /// On how many servers the stream must be kept at least.
    pub replicas: usize,
    /// The beginning of the subjects of the JetStream API: another than [`API`] when the stream is in
    /// another account, and reached through imports.
    pub api: String,
    /// A `.creds` file with a JWT and a seed.
    pub credentials: Option<PathBuf>,
    /// A file with the seed of an nkey.
    pub nkey: Option<PathBuf>,
    /// A file of certificates (PEM) to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// A certificate (PEM) of ours, for servers that want one; and its key.
    pub cert: Option<PathBuf>,
    /// The key of the certificate (PEM).
    pub key: Option<PathBuf>,
}

const FORM: &str = "nats://HOST[:PORT][,HOST[:PORT]]/STREAM\
     [?replicas=N&api=PREFIX&credentials=FILE&nkey=FILE&ca=FILE&cert=FILE&key=FILE]";

impl FromStr for Options {
    type Err = BadUrl;

    fn from_str(url: &str) -> Result<Options, BadUrl> {
        let bad = |what: &str| BadUrl::new(url, what, FORM);
        let address = Address::parse(url, &["nats", "tls"], PORT).map_err(|what| bad(&what))?;
        let server = |host: &String| format!("{}://{host}", address.scheme);
        let mut options = Options {
            servers: address.hosts.iter().map(server).collect(),
            stream: address.stream.to_owned(),
            replicas: REPLICAS,
            api: API.to_owned(),
            credentials: None,
            nkey: None,
            ca: None,
            cert: None,
            key: None,
        };
        for (key, value) in address.options() {
            match key {
                "replicas" => {
                    let replicas = value.parse().ok().filter(|replicas| (1..=5).contains(replicas));
                    options.replicas = replicas.ok_or_else(|| bad("replicas are 1 to 5"))?;
                }
                "api" if value.split('.').all(address::is_stream_name) => {
                    options.api = value.to_owned();
                }
                "api" => return Err(bad("api= is words of letters, digits, - and _, with dots")),
                "credentials" => options.credentials = Some(value.into()),
                "nkey" => options.nkey = Some(value.into()),
                "ca" => options.ca = Some(value.into()),
                "cert" => options.cert = Some(value.into()),
                "key" => options.key = Some(value.into()),
                _ => return Err(bad(&format!("there is no option {key}"))),
            }
        }
        if options.cert.is_some() != options.key.is_some() {
            return Err(bad("cert= and key= go together"));
        }
        if options.credentials.is_some() && options.nkey.is_some() {
            return Err(bad("credentials= and nkey= are two logins: name one"));
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_servers_stream_and_files() {
        let url = "tls://one,two:4300,[::1]:4301,[::1]/tranche?replicas=5&api=a.b&credentials=/a&ca=/b&cert=/c&key=/d";
        let options: Options = url.parse().unwrap();
        let servers = ["tls://one:4222", "tls://two:4300", "tls://[::1]:4301", "tls://[::1]:4222"];
        assert_eq!(options.servers, servers);
        assert_eq!((options.stream.as_str(), options.replicas), ("tranche", 5));
        let files = [options.credentials, options.ca, options.cert, options.key];
        assert_eq!(files, ["/a", "/b", "/c", "/d"].map(|file| Some(file.into())));
        let plain: Options = "nats://localhost/a_B-1".parse().unwrap();
        assert_eq!((plain.replicas, plain.api.as_str()), (REPLICAS, API));
        assert_eq!(options.api, "a.b");
    }

    #[test]
    fn a_bad_address_is_refused_and_a_password_in_it_is_not_shown() {
        for (url, what) in [
            ("localhost:4222/tranche", "a scheme is missing"),
            ("http://localhost/tranche", "the scheme must be"),
            ("nats://localhost", "the stream's name"),
            ("nats://localhost/", "the stream's name"),
            ("nats://localhost/a.b", "the stream's name"),
            ("nats://localhost/a b", "the stream's name"),
            ("nats:///tranche", "a host is empty"),
            ("nats://one,/tranche", "a host is empty"),
            ("nats://one:port/tranche", "a host is empty"),
            ("nats://:4222/tranche", "a host is empty"),
            ("nats://one/tranche?replicas=0", "replicas are 1 to 5"),
            ("nats://one/tranche?replicas=", "replicas are 1 to 5"),
            ("nats://one/tranche?replica=3", "there is no option replica"),
            ("nats://one/tranche?api=a.*", "api= is words"),
            ("nats://one/tranche?cert=/a", "cert= and key= go together"),
            ("nats://one/tranche?nkey=/a&credentials=/b", "two logins"),
            ("nats://me:secret@one/tranche", "no passwords here"),
        ] {
            let error = url.parse::<Options>().expect_err(url).to_string();
            assert!(error.contains(what), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
