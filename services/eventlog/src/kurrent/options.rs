//! Where the stream is and how to log in, from an address such as
//! `esdb://one:2113,two:2113/tranche?credentials=/etc/tranche/esdb`.

use std::path::PathBuf;
use std::str::FromStr;

use crate::remote::address::Address;
pub use crate::remote::address::BadUrl;

/// The port of a server that is named without one.
const PORT: u16 = 2113;
const SCHEMES: [&str; 4] = ["esdb", "esdb+discover", "kurrentdb", "kurrentdb+discover"];
const FORM: &str = "esdb://HOST[:PORT][,HOST[:PORT]]/STREAM\
                    [?tls=false&credentials=FILE&ca=FILE], or esdb+discover://, kurrentdb://";

/// Where the stream is, and how to log in.
///
/// Secrets are in files, never in the address: that is seen in process lists and logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `HOST:PORT`. Of several, and of one whose members are to be discovered, the leader is taken.
    pub servers: Vec<String>,
    /// Asks the only server named for the members of its cluster.
    pub discover: bool,
    /// The stream: letters, digits, `-` and `_`.
    pub stream: String,
    /// Encrypts the connection, on which the server must prove its name.
    pub tls: bool,
    /// A file with one line, `user:password`.
    pub credentials: Option<PathBuf>,
    /// A file of certificates (PEM) to trust instead of the system's.
    pub ca: Option<PathBuf>,
}

impl FromStr for Options {
    type Err = BadUrl;

    fn from_str(url: &str) -> Result<Options, BadUrl> {
        let bad = |what: &str| BadUrl::new(url, what, FORM);
        let address = Address::parse(url, &SCHEMES, PORT).map_err(|what| bad(&what))?;
        let mut options = Options {
            discover: address.scheme.ends_with("+discover"),
            stream: address.stream.to_owned(),
            tls: true,
            credentials: None,
            ca: None,
            servers: address.hosts.clone(),
        };
        if options.discover && options.servers.len() > 1 {
            return Err(bad("one name is discovered, not several"));
        }
        if options.servers.len() > 1 && url.contains('[') {
            return Err(bad("of several hosts none may be an address of IPv6: the client cannot"));
        }
        for (key, value) in address.options() {
            match key {
                "tls" => options.tls = value.parse().map_err(|_| bad("tls is true or false"))?,
                "credentials" => options.credentials = Some(value.into()),
                "ca" => options.ca = Some(value.into()),
                _ => return Err(bad(&format!("there is no option {key}"))),
            }
        }
        if !options.tls && options.ca.is_some() {
            return Err(bad("ca is for an encrypted connection, and tls=false is none"));
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_servers_stream_and_files() {
        let url = "kurrentdb://one,two:4300/tranche?credentials=/a&ca=/b";
        let options: Options = url.parse().unwrap();
        assert_eq!(options.servers, ["one:2113", "two:4300"]);
        assert_eq!(
            (options.stream.as_str(), options.tls, options.discover),
            ("tranche", true, false)
        );
        let files = [options.credentials, options.ca];
        assert_eq!(files, ["/a", "/b"].map(|file| Some(file.into())));
        let plain: Options = "esdb+discover://localhost/log?tls=false".parse().unwrap();
        assert!(plain.discover && !plain.tls);
    }

    #[test]
    fn a_bad_address_is_refused_and_a_password_in_it_is_not_shown() {
        for (url, what) in [
            ("nats://localhost/tranche", "the scheme must be"),
            ("esdb://localhost", "the stream's name"),
            ("esdb://localhost/$all", "the stream's name"),
            ("esdb+discover://one,two/tranche", "one name is discovered"),
            ("esdb://one,[::1]/tranche", "none may be an address of IPv6"),
            ("esdb://one/tranche?tls=no", "tls is true or false"),
            ("esdb://one/tranche?tls=false&ca=/x", "tls=false is none"),
            ("esdb://one/tranche?tlsVerifyCert=false", "there is no option tlsVerifyCert"),
            ("esdb://me:secret@one/tranche", "no passwords here"),
        ] {
            let error = url.parse::<Options>().expect_err(url).to_string();
            assert!(error.contains(what), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
