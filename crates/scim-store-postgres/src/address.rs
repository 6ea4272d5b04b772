//! Where a database is, as operators write it, and how far its server is trusted on the way.
//!
//! The words are those of libpq as far as they can be kept. What is stricter: where TLS is used at all, the server's
//! certificate is verified, name and chain. `require` and `verify-full` are the same here.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// A database and who connects to it: `postgres://user@host:port/database?sslmode=verify-full&sslrootcert=FILE`.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub(crate) config: Box<Config>,
    pub(crate) root_certificates: Option<PathBuf>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) pool: Option<usize>,
    /// As they were written, without a password.
    options: Vec<String>,
}

impl Address {
    /// Whether it has a password in it. A file that has one is not meant.
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// Whether it says which file has the password.
    pub fn has_password_file(&self) -> bool {
        self.password_file.is_some()
    }

    /// Whether an option was written, with whatever value.
    pub(crate) fn says(&self, option: &str) -> bool {
        self.options
            .iter()
            .any(|written| written.split_once('=').map_or(&**written, |(name, _)| name) == option)
    }

    /// The same with a password.
    #[must_use]
    pub fn with_password(mut self, password: &[u8]) -> Self {
        self.config.password(password);
        self
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (place, options) = text.split_once('?').unwrap_or((text, ""));
        let (mut mode, mut root_certificates, mut password_file, mut pool) = (None, None, None, None);
        let (mut silence, mut probes) = (None, None);
        let (mut others, mut shown) = (Vec::new(), Vec::new());
        for option in options.split('&').filter(|option| !option.is_empty()) {
            if !["user=", "password="].iter().any(|secret| option.starts_with(secret)) {
                shown.push(option.to_owned());
            }
            match option.split_once('=').unwrap_or((option, "")) {
                ("sslmode", word) => mode = Some(ssl_mode(word)?),
                ("sslrootcert", file) => root_certificates = Some(PathBuf::from(plain(file)?)),
                ("password_file", file) => password_file = Some(PathBuf::from(plain(file)?)),
                ("pool", number) => {
                    let size = number.parse().ok().filter(|size| (2..=1000).contains(size));
                    pool = Some(size.ok_or("`pool` is a number of connections from 2 to 1000")?);
                }
                // The crate has another unit for the one and another name for the other than libpq.
                ("tcp_user_timeout", number) => {
                    let millis =
                        number.parse().map_err(|_| "`tcp_user_timeout` is a number of milliseconds")?;
                    silence = Some(Duration::from_millis(millis));
                }
                ("keepalives_count", number) => {
                    probes = Some(number.parse().map_err(|_| "`keepalives_count` is a number of probes")?);
                }
                (
                    "application_name"
                    | "connect_timeout"
                    | "keepalives"
                    | "keepalives_idle"
                    | "keepalives_interval"
                    | "user"
                    | "password"
                    | "target_session_attrs"
                    | "load_balance_hosts",
                    _,
                ) => others.push(option),
                (name, _) => {
                    return Err(format!(
                        "`{}` is not an option of a database's address",
                        name.escape_debug()
                    ));
                }
            }
        }
        let mut config = configuration(place, &others)?;
        if config.get_user().is_none() {
            return Err("name the role to connect as, as in `postgres://scimd@HOST/DATABASE`".to_owned());
        }
        if config.get_hosts().is_empty() {
            return Err("name the host, as in `postgres://scimd@HOST/DATABASE`".to_owned());
        }
        if config.get_dbname().is_none() {
            return Err("name the database, as in `postgres://scimd@HOST/DATABASE`".to_owned());
        }
        let default =
            if config.get_hosts().iter().all(is_here) { SslMode::Disable } else { SslMode::Require };
        config.ssl_mode(mode.unwrap_or(default));
        // 0 means what the system does.
        if let Some(silence) = silence.filter(|silence| !silence.is_zero()) {
            config.tcp_user_timeout(silence);
        }
        if let Some(probes) = probes.filter(|probes| *probes > 0) {
            config.keepalives_retries(probes);
        }
        Ok(Self { config: Box::new(config), root_certificates, password_file, pool, options: shown })
    }
}

/// Without the password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config, .. } = self;
        write!(f, "postgres://{}@", config.get_user().unwrap_or_default())?;
        for (index, host) in config.get_hosts().iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match host {
                Host::Tcp(name) if name.contains(':') => write!(f, "{comma}[{name}]")?,
                Host::Tcp(name) => write!(f, "{comma}{name}")?,
                #[cfg(unix)]
                Host::Unix(path) => write!(f, "{comma}{}", path.display().to_string().replace('/', "%2F"))?,
            }
            let ports = config.get_ports();
            if let Some(port) = ports.get(index).or(ports.first()).filter(|port| **port != 5432) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", config.get_dbname().unwrap_or_default())?;
        for (index, option) in self.options.iter().enumerate() {
            write!(f, "{}{option}", if index == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// What the crate reads by itself. Its own reasons could quote the address, and with it a password.
fn configuration(place: &str, options: &[&str]) -> Result<Config, String> {
    let read = |options: &[&str]| match options {
        [] => place.parse::<Config>(),
        options => format!("{place}?{}", options.join("&")).parse(),
    };
    read(options).or_else(|_| {
        read(&[]).map_err(|_| "write it as `postgres://USER@HOST:PORT/DATABASE`")?;
        let wrong = options.iter().find(|option| read(&[*option]).is_err());
        let name = wrong.and_then(|option| option.split('=').next()).unwrap_or("option");
        let values = match name {
            "target_session_attrs" => "`any`, `read-write` or `read-only`",
            "load_balance_hosts" => "`disable` or `random`",
            "connect_timeout" | "keepalives_idle" | "keepalives_interval" => "a number of seconds",
            "keepalives" => "1 or 0",
            _ => "text, with `%25` for a percent sign",
        };
        Err(format!("`{name}` is {values}"))
    })
}

fn ssl_mode(word: &str) -> Result<SslMode, String> {
    match word {
        "disable" => Ok(SslMode::Disable),
        "prefer" => Ok(SslMode::Prefer),
        "require" | "verify-full" => Ok(SslMode::Require),
        "verify-ca" => Err("`sslmode=verify-ca` is not supported; use `verify-full`".to_owned()),
        _ => Err("`sslmode` is `disable`, `prefer`, `require` or `verify-full`".to_owned()),
    }
}

/// Whether nothing leaves the machine on the way.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// A value of an option without its percent signs.
fn plain(value: &str) -> Result<String, String> {
    let broken = || format!("`{}` cannot be read; write `%25` for a percent sign", value.escape_debug());
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte == b'%' {
            let (digits, after) = rest.split_at_checked(2).ok_or_else(broken)?;
            let digits = std::str::from_utf8(digits).map_err(|_| broken())?;
            bytes.push(u8::from_str_radix(digits, 16).map_err(|_| broken())?);
            rest = after;
        } else {
            bytes.push(*byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let check = |text: &str, expected: Result<(&str, SslMode), &str>| {
            let found =
                text.parse::<Address>().map(|address| (address.to_string(), address.config.get_ssl_mode()));
            let expected = expected.map(|(shown, mode)| (shown.to_owned(), mode)).map_err(str::to_owned);
            assert_eq!(found, expected, "{text}");
        };
        check(
            "postgres://scimd@db.example.com/scim",
            Ok(("postgres://scimd@db.example.com/scim", SslMode::Require)),
        );
        check(
            "postgres://scimd:pw@db:6432/scim?sslmode=prefer",
            Ok(("postgres://scimd@db:6432/scim?sslmode=prefer", SslMode::Prefer)),
        );
        check("postgresql://scimd@localhost/scim", Ok(("postgres://scimd@localhost/scim", SslMode::Disable)));
        check(
            "postgres://scimd@[::1]:5433/scim?sslmode=verify-full",
            Ok(("postgres://scimd@[::1]:5433/scim?sslmode=verify-full", SslMode::Require)),
        );
        check(
            "postgres://scimd@%2Frun%2Fpostgresql/scim?pool=8",
            Ok(("postgres://scimd@%2Frun%2Fpostgresql/scim?pool=8", SslMode::Disable)),
        );
        check(
            "postgres://scimd@a,b/scim?sslrootcert=%2Fetc%2Fca.pem",
            Ok(("postgres://scimd@a,b/scim?sslrootcert=%2Fetc%2Fca.pem", SslMode::Require)),
        );
        check(
            "postgres://db/scim",
            Err("name the role to connect as, as in `postgres://scimd@HOST/DATABASE`"),
        );
        check("postgres://scimd@db", Err("name the database, as in `postgres://scimd@HOST/DATABASE`"));
        check("postgres://scimd@/scim", Err("name the host, as in `postgres://scimd@HOST/DATABASE`"));
        check(
            "postgres://scimd@db/scim?sslmode=verify-ca",
            Err("`sslmode=verify-ca` is not supported; use `verify-full`"),
        );
        check(
            "postgres://scimd@db/scim?sslmode=on",
            Err("`sslmode` is `disable`, `prefer`, `require` or `verify-full`"),
        );
        check("postgres://scimd@db/scim?pool=1", Err("`pool` is a number of connections from 2 to 1000"));
        check(
            "postgres://scimd@db/scim?options=-c%20x",
            Err("`options` is not an option of a database's address"),
        );
        check("postgres://scimd@db:port/scim", Err("write it as `postgres://USER@HOST:PORT/DATABASE`"));
        check(
            "postgres://scimd@db:port/scim?connect_timeout=3",
            Err("write it as `postgres://USER@HOST:PORT/DATABASE`"),
        );
        check(
            "postgres://scimd@a,b/scim?connect_timeout=3&target_session_attrs=primary",
            Err("`target_session_attrs` is `any`, `read-write` or `read-only`"),
        );
        check("postgres://scimd@db/scim?keepalives_idle=5s", Err("`keepalives_idle` is a number of seconds"));
    }

    #[test]
    fn options_have_the_units_of_libpq() {
        let check = |options: &str, silence: Option<u64>, probes: Option<u32>| {
            let address: Address = format!("postgres://scimd@db/scim?{options}").parse().expect("an address");
            assert_eq!(address.config.get_tcp_user_timeout().copied(), silence.map(Duration::from_millis));
            assert_eq!(address.config.get_keepalives_retries(), probes);
        };
        check("tcp_user_timeout=20000&keepalives_count=3", Some(20_000), Some(3));
        check("tcp_user_timeout=0&keepalives_count=0", None, None);
    }
}
