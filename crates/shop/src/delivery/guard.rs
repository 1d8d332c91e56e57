//! Which URLs and addresses may be reached from here: what keeps a destination from being turned
//! against this machine and its network (server-side request forgery).
//!
//! What always holds:
//! - A connection is opened only to an address that was checked after its name had been resolved,
//!   and the name is not resolved again in between, so that a name cannot change its mind.
//! - *Every* address of a name is checked; one that is refused refuses the name.
//! - An address that carries a version 4 address (mapped, NAT64) counts as that one.
//! - What answers nowhere but on the own link, such as a cloud's metadata, is refused even to
//!   destinations that may be private.
//!
//! Plain http is allowed to public addresses too; whoever enters it is expected to know that what
//! is sent can be read on the way. The ranges are those of IANA's special-purpose address
//! registries (RFC 6890) that are not globally reachable.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use reqwest::Url;

/// Ports of public destinations.
pub const PUBLIC_PORTS: [u16; 4] = [80, 443, 8080, 8443];
/// Longest URL of a destination, in bytes.
pub const URL_BYTES_MAX: usize = 2_000;

/// Why a URL or an address is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("it is not a URL")]
    NotAUrl,
    #[error("it is longer than {URL_BYTES_MAX} bytes")]
    TooLong,
    #[error("its scheme is none of: {0}")]
    Scheme(&'static str),
    #[error("it has no host")]
    NoHost,
    #[error("it names a user or a password")]
    UserInfo,
    #[error("it has a fragment")]
    Fragment,
    #[error("port {0} is not one of 80, 443, 8080, 8443")]
    Port(u16),
    #[error("port {0} is not one of 5671, 5672")]
    BrokerPort(u16),
    #[error("{0} is a name of this machine")]
    LocalName(String),
    #[error("{0} is {1}")]
    Address(IpAddr, Reach),
    #[error("the header {0} cannot be sent")]
    Header(String),
}

/// From where an address can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// From everywhere.
    Public,
    /// On this machine or in a private network: only if the destination is allowed to.
    Private,
    /// Nobody's destination: the own link with its metadata services, many at once, reserved.
    Nowhere,
}

impl std::fmt::Display for Reach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Public => "a public address",
            Self::Private => "an address of a private network",
            Self::Nowhere => "an address that nothing is sent to",
        })
    }
}

impl Reach {
    /// Where an address belongs.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::of_v4(v4),
            IpAddr::V6(v6) => Self::of_v6(v6),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        match address.octets() {
            // Metadata and control of clouds, wherever they lie.
            [100, 100, 100, 200] | [168, 63, 129, 16] => Self::Nowhere,
            [10 | 127, ..] | [192, 168, ..] => Self::Private,
            [172, second, ..] if second & 0xf0 == 16 => Self::Private,
            // Shared by a provider's customers (RFC 6598).
            [100, second, ..] if second & 0xc0 == 64 => Self::Private,
            // "This network", link-local, protocol assignments, 6to4 relays, AS112 and AMT.
            [0, ..] | [169, 254, ..] | [192, 0, 0, _] | [192, 88, 99, _] => Self::Nowhere,
            [192, 31, 196, _] | [192, 52, 193, _] | [192, 175, 48, _] => Self::Nowhere,
            // Documentation and benchmarking.
            [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Self::Nowhere,
            [198, 18 | 19, ..] => Self::Nowhere,
            // Multicast, reserved, broadcast.
            [224..=255, ..] => Self::Nowhere,
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if let Some(v4) = carried(address) {
            return Self::of_v4(v4);
        }
        let segments = address.segments();
        match segments {
            [0, 0, 0, 0, 0, 0, 0, 1] => Self::Private,
            // Metadata of clouds at unique-local addresses.
            [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254] => Self::Nowhere,
            [0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x254] => Self::Nowhere,
            [first, ..] if first & 0xfe00 == 0xfc00 => Self::Private,
            // Protocol assignments (Teredo, benchmarking, ORCHID ...), documentation, 6to4.
            [0x2001, second, ..] if second < 0x200 => Self::Nowhere,
            [0x2001, 0xdb8, ..] | [0x2002, ..] => Self::Nowhere,
            [0x3fff, second, ..] if second < 0x1000 => Self::Nowhere,
            // Global unicast is 2000::/3; link-local, site-local, multicast, discard-only,
            // version-4-compatible and local NAT64 lie outside of it.
            [first, ..] if first & 0xe000 == 0x2000 => Self::Public,
            _ => Self::Nowhere,
        }
    }
}

/// The version 4 address that a mapped (::ffff:0:0/96) or NAT64 (64:ff9b::/96) address stands for.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = address.segments();
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => {
            Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        _ => None,
    }
}

/// Whether an address may be connected to.
///
/// # Errors
/// [`Refusal::Address`] if it may not.
pub fn check_address(address: IpAddr, allow_private: bool) -> Result<(), Refusal> {
    match Reach::of(address) {
        Reach::Public => Ok(()),
        Reach::Private if allow_private => Ok(()),
        reach => Err(Refusal::Address(address, reach)),
    }
}

/// Whether a destination with this URL may be saved: all that can be said without asking for the
/// addresses of a name, which are checked at every connection.
///
/// # Errors
/// What is wrong with it.
pub fn check_url(url: &str, allow_private: bool) -> Result<(), Refusal> {
    let url = parse(url, allow_private)?;
    if url.fragment().is_some() {
        return Err(Refusal::Fragment);
    }
    Ok(())
}

/// The URL, if requests may go there. The parser writes addresses in decimal, octal or hexadecimal
/// forms the usual way, so that none slips through as a name.
pub(super) fn parse(url: &str, allow_private: bool) -> Result<Url, Refusal> {
    if url.len() > URL_BYTES_MAX {
        return Err(Refusal::TooLong);
    }
    let url = Url::parse(url).map_err(|_| Refusal::NotAUrl)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refusal::Scheme("http, https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refusal::UserInfo);
    }
    let host = url.host_str().ok_or(Refusal::NoHost)?;
    check_host(host, allow_private)?;
    let port = url.port_or_known_default().ok_or(Refusal::NotAUrl)?;
    if !allow_private && !PUBLIC_PORTS.contains(&port) {
        return Err(Refusal::Port(port));
    }
    Ok(url)
}

/// Refuses addresses, and names of this machine.
pub(super) fn check_host(host: &str, allow_private: bool) -> Result<(), Refusal> {
    if let Some(address) = literal(host) {
        return check_address(address, allow_private);
    }
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    if !allow_private && (name == "localhost" || name.ends_with(".localhost")) {
        return Err(Refusal::LocalName(name));
    }
    Ok(())
}

/// The address that a host is, with or without the brackets of a URL.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

/// Asks for the addresses of a name: a seam for tests.
pub trait Resolve: Send + Sync + 'static {
    /// All addresses of the name.
    fn resolve(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// As the operating system resolves names.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Why a name gave no address to connect to.
#[derive(Debug, thiserror::Error)]
pub enum Unresolved {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the name {0} cannot be resolved: {1}")]
    Failed(String, io::Error),
    #[error("the name {0} has no address")]
    Nothing(String),
}

/// Resolves names once and lets nobody have an address that was not checked.
#[derive(Clone)]
pub struct Guard {
    resolver: Arc<dyn Resolve>,
    allow_private: bool,
}

impl Guard {
    pub fn new(resolver: Arc<dyn Resolve>, allow_private: bool) -> Self {
        Self { resolver, allow_private }
    }

    /// The checked addresses of a host, which is a name or an address, for a port.
    ///
    /// # Errors
    /// [`Unresolved::Refused`] if one of them may not be reached.
    pub async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Unresolved> {
        check_host(host, self.allow_private)?;
        let found = match literal(host) {
            Some(address) => vec![address],
            None => {
                let found = self.resolver.resolve(host).await;
                found.map_err(|error| Unresolved::Failed(host.to_owned(), error))?
            }
        };
        if found.is_empty() {
            return Err(Unresolved::Nothing(host.to_owned()));
        }
        for address in &found {
            check_address(*address, self.allow_private)?;
        }
        Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(text: &str) -> Reach {
        Reach::of(text.parse().unwrap_or_else(|_| panic!("{text} is an address")))
    }

    #[test]
    fn every_special_range_is_known_at_both_ends() {
        for (first, last, expected) in [
            ("0.0.0.0", "0.255.255.255", Reach::Nowhere),
            ("10.0.0.0", "10.255.255.255", Reach::Private),
            ("100.64.0.0", "100.127.255.255", Reach::Private),
            ("127.0.0.0", "127.255.255.255", Reach::Private),
            ("169.254.0.0", "169.254.255.255", Reach::Nowhere),
            ("172.16.0.0", "172.31.255.255", Reach::Private),
            ("192.0.0.0", "192.0.0.255", Reach::Nowhere),
            ("192.0.2.0", "192.0.2.255", Reach::Nowhere),
            ("192.88.99.0", "192.88.99.255", Reach::Nowhere),
            ("192.168.0.0", "192.168.255.255", Reach::Private),
            ("198.18.0.0", "198.19.255.255", Reach::Nowhere),
            ("198.51.100.0", "198.51.100.255", Reach::Nowhere),
            ("203.0.113.0", "203.0.113.255", Reach::Nowhere),
            ("224.0.0.0", "255.255.255.255", Reach::Nowhere),
            ("::1", "::1", Reach::Private),
            ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Private),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Nowhere),
            ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Nowhere),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Nowhere),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Nowhere),
            ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Nowhere),
            ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Nowhere),
            ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Reach::Nowhere),
            ("100::", "100::ffff:ffff:ffff:ffff", Reach::Nowhere),
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", Reach::Nowhere),
            // Compatible, not mapped: nobody uses these any more.
            ("::", "::", Reach::Nowhere),
            ("::2", "::ffff:ffff", Reach::Nowhere),
            // Mapped and translated ones count as what they carry.
            ("::ffff:127.0.0.1", "::ffff:10.1.2.3", Reach::Private),
            ("::ffff:169.254.169.254", "::ffff:0.0.0.0", Reach::Nowhere),
            ("64:ff9b::127.0.0.1", "64:ff9b::192.168.0.1", Reach::Private),
            ("64:ff9b::169.254.169.254", "64:ff9b::255.255.255.255", Reach::Nowhere),
            // Metadata.
            ("168.63.129.16", "100.100.100.200", Reach::Nowhere),
            ("fd00:ec2::254", "fd20:ce::254", Reach::Nowhere),
        ] {
            assert_eq!((reach(first), reach(last)), (expected, expected), "{first} {last}");
        }
    }

    #[test]
    fn what_lies_beside_the_special_ranges_is_public() {
        for address in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2000::",
            "2001:200::",
            "2001:db7:ffff::",
            "2001:db9::",
            "2003::",
            "2606:4700::1111",
            "3fff:1000::",
            "3ffe:ffff::",
            "::ffff:1.1.1.1",
            "64:ff9b::8.8.8.8",
        ] {
            assert_eq!(reach(address), Reach::Public, "{address}");
        }
    }

    #[test]
    fn private_addresses_need_the_setting_and_others_are_never_reached() {
        for (address, without, with) in [
            ("8.8.8.8", true, true),
            ("127.0.0.1", false, true),
            ("192.168.1.1", false, true),
            ("::1", false, true),
            ("fd12::1", false, true),
            ("169.254.169.254", false, false),
            ("fe80::1", false, false),
            ("0.0.0.0", false, false),
            ("224.0.0.1", false, false),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(check_address(address, false).is_ok(), without, "{address}");
            assert_eq!(check_address(address, true).is_ok(), with, "{address}");
        }
    }

    #[test]
    fn urls_are_refused_for_what_is_wrong_with_them() {
        let address = |text: &str, reach| Refusal::Address(text.parse().expect("it is"), reach);
        let local = |name: &str| Refusal::LocalName(name.to_owned());
        let loopback = || address("127.0.0.1", Reach::Private);
        let long = format!("https://example.com/{}", "x".repeat(URL_BYTES_MAX));
        for (url, expected) in [
            ("example.com", Refusal::NotAUrl),
            ("https://", Refusal::NotAUrl),
            ("https://exa mple.com", Refusal::NotAUrl),
            (long.as_str(), Refusal::TooLong),
            ("ftp://example.com", Refusal::Scheme("http, https")),
            ("file:///etc/passwd", Refusal::Scheme("http, https")),
            ("javascript:alert(1)", Refusal::Scheme("http, https")),
            ("gopher://127.0.0.1:25", Refusal::Scheme("http, https")),
            ("https://user@example.com", Refusal::UserInfo),
            ("https://user:pass@example.com", Refusal::UserInfo),
            ("https://:pass@example.com", Refusal::UserInfo),
            ("https://example.com/#part", Refusal::Fragment),
            ("https://example.com:22", Refusal::Port(22)),
            ("http://example.com:6379/", Refusal::Port(6379)),
            ("https://localhost/", local("localhost")),
            ("https://LocalHost./", local("localhost")),
            ("https://shop.localhost/", local("shop.localhost")),
            ("http://127.0.0.1/", loopback()),
            ("http://2130706433/", loopback()),
            ("http://0x7f000001/", loopback()),
            ("http://0x7f.1/", loopback()),
            ("http://0177.0.0.1/", loopback()),
            ("http://127.1/", loopback()),
            ("http://127.0.0.1./", loopback()),
            ("http://%31%32%37.0.0.1/", loopback()),
            ("http://①②⑦.0.0.1/", loopback()),
            ("http://[::1]/", address("::1", Reach::Private)),
            ("http://[::ffff:7f00:1]/", address("::ffff:127.0.0.1", Reach::Private)),
            ("http://169.254.169.254/latest", address("169.254.169.254", Reach::Nowhere)),
            ("http://[fe80::1]/", address("fe80::1", Reach::Nowhere)),
        ] {
            assert_eq!(check_url(url, false), Err(expected), "{url}");
        }
    }

    #[test]
    fn urls_that_are_right_are_taken() {
        for url in [
            "https://example.com",
            "http://example.com:80/hooks?a=b",
            "https://example.com:8443/hooks",
            "https://8.8.8.8:8080/",
            "https://[2606:4700::1111]/",
            "https://bücher.example/",
        ] {
            assert_eq!(check_url(url, false), Ok(()), "{url}");
        }
        for url in ["http://127.0.0.1:20123/posts", "http://localhost:3000", "http://10.0.0.7:99"] {
            assert_eq!(check_url(url, true), Ok(()), "{url}");
            assert!(check_url(url, false).is_err(), "{url}");
        }
        let metadata = check_url("http://169.254.169.254/", true);
        assert!(matches!(metadata, Err(Refusal::Address(_, Reach::Nowhere))), "{metadata:?}");
    }

    /// Answers with these addresses, whatever the name.
    struct Fixed(Vec<IpAddr>);

    impl Resolve for Fixed {
        fn resolve(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
            let addresses = self.0.clone();
            Box::pin(async move { Ok(addresses) })
        }
    }

    #[tokio::test]
    async fn one_address_that_is_refused_refuses_the_name() {
        let mixed = ["8.8.8.8", "127.0.0.1"].map(|text| text.parse().expect("an address"));
        let guard = |addresses: &[IpAddr], allow_private| {
            Guard::new(Arc::new(Fixed(addresses.to_vec())), allow_private)
        };
        let refused = guard(&mixed, false).addresses("a.example", 443).await;
        assert!(matches!(refused, Err(Unresolved::Refused(Refusal::Address(..)))), "{refused:?}");
        let public = guard(&mixed[..1], false).addresses("a.example", 443).await;
        assert_eq!(public.expect("public"), ["8.8.8.8:443".parse().expect("an address")]);
        let allowed = guard(&mixed, true).addresses("a.example", 443).await;
        assert_eq!(allowed.expect("allowed").len(), 2);
        let nothing = guard(&[], true).addresses("a.example", 443).await;
        assert!(matches!(nothing, Err(Unresolved::Nothing(_))));
        let literal = guard(&[], false).addresses("[::1]", 443).await;
        assert!(matches!(literal, Err(Unresolved::Refused(_))), "{literal:?}");
    }
}
