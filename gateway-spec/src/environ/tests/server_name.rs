//! SERVER_NAME and the `Host` that it comes from.

use super::*;

#[test]
fn comes_from_the_host_header_without_its_port() {
    for (host, name) in [
        ("example.com", "example.com"),
        ("example.com:8080", "example.com"),
        ("example.com:", "example.com"),
        ("203.0.113.9:80", "203.0.113.9"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("[2001:db8::1]:8443", "[2001:db8::1]"),
        ("[::1]:", "[::1]"),
    ] {
        assert_eq!(with_headers(&[("host", host)]).server_name(), name, "{host}");
    }
}

#[test]
fn is_the_servers_own_address_if_no_host_is_named() {
    for headers in [&[][..], &[("host", "")], &[("host", ":8080")]] {
        assert_eq!(with_headers(headers).server_name(), "192.0.2.1", "{headers:?}");
    }
}

#[test]
fn of_an_ipv6_address_is_in_brackets_and_of_a_mapped_one_is_ipv4() {
    let name = |local: &str| {
        let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, local.parse().ok(), None);
        connection.server_name().to_owned()
    };
    assert_eq!(name("[2001:db8::1]:80"), "[2001:db8::1]");
    assert_eq!(name("[::ffff:192.0.2.1]:80"), "192.0.2.1");
}
