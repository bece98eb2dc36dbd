//! Connections that the kernel has made and does not show yet, for nothing was said on them (`TCP_DEFER_ACCEPT`).

use std::io;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    constants::{AF_INET, AF_INET6, IPPROTO_TCP},
    inet::{ExtensionFlags, InetRequest, SocketId, StateFlags},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};

/// Whether there are such connections to this port.
///
/// The kernel is asked for them (`sock_diag(7)`): its table of all connections, `/proc/net/tcp`, takes seconds to read on
/// a busy machine.
///
/// # Errors
/// The kernel does not tell.
pub(crate) fn any(port: u16) -> io::Result<bool> {
    Ok(any_of(AF_INET, SocketId::new_v4(), port)? || any_of(AF_INET6, SocketId::new_v6(), port)?)
}

fn any_of(family: u8, any: SocketId, port: u16) -> io::Result<bool> {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&request(family, SocketId { source_port: port, ..any }), 0)?;
    // The first message tells: it is a connection, or the end of all.
    let (answer, _) = socket.recv_from_full()?;
    let answer = NetlinkMessage::<SockDiagMessage>::deserialize(&answer).map_err(io::Error::other)?;
    match answer.payload {
        NetlinkPayload::InnerMessage(_) => Ok(true),
        NetlinkPayload::Error(error) => Err(error.to_io()),
        _ => Ok(false),
    }
}

fn request(family: u8, socket_id: SocketId) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let request = InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
        // To whoever listens they are still to be made.
        states: StateFlags::SYN_RECV,
        socket_id,
    };
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}
