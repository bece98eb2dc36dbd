//! What is known of a connection beside its requests.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use gateway_spec::{Connection, Host, Scheme};

fn connection() -> Connection {
    Connection::new(Arc::new(Host::default()), Scheme::Http, None, None)
}

#[test]
fn that_it_has_ended_is_known_to_those_who_outlive_it() {
    let connection = connection();
    let closed = connection.closed().clone();
    assert!(!closed.is_set());
    connection.close();
    drop(connection);
    assert!(closed.is_set());
}

#[test]
fn what_is_kept_with_it_is_made_once_and_for_one_adapter() {
    let connection = connection();
    assert_eq!(connection.keep(|| "first"), Some(&"first"));
    assert_eq!(connection.keep(|| "second"), Some(&"first"));
    assert_eq!(connection.keep(|| 3), None);
}
