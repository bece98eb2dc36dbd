//! What a supervisor and a process that it has started say to each other: a worker, or the supervisor that takes over.
//!
//! Both hold an end of one socket, which the child finds as its standard input. The first message brings the
//! descriptors that it works with, its true standard input among them. When an end is closed, by whatever death, the
//! other one knows.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::retry_on_intr,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
    },
};

/// The longest message.
const LARGEST: usize = 64 * 1024;
/// The most descriptors of a message: the kernel takes 253.
const DESCRIPTORS: usize = 200;

/// One end.
#[derive(Debug)]
pub(super) struct Control(OwnedFd);

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// To a child, first of all: what it is to know, beside the descriptors.
    Begin(String),
    /// To a worker: accept no more, finish what runs, and end.
    Drain,
    /// To a worker: end now.
    Quit,
    /// To a worker: open the access log anew.
    Reopen,
    /// From a child: it serves.
    Ready,
    /// From a child: it cannot serve; with its exit code, and a report for people.
    Failed(u8, String),
    /// From a worker: it should be replaced; with the reason.
    Retire(String),
    /// From a worker: this source file has changed.
    Changed(String),
    /// From a worker that a zygote has forked, first of all: its process.
    Forked(u32),
}

impl Message {
    fn encode(&self) -> Vec<u8> {
        let (word, rest) = match self {
            Message::Begin(text) => ("begin", text.clone()),
            Message::Drain => ("drain", String::new()),
            Message::Quit => ("quit", String::new()),
            Message::Reopen => ("reopen", String::new()),
            Message::Ready => ("ready", String::new()),
            Message::Failed(code, report) => ("failed", format!("{code} {report}")),
            Message::Retire(reason) => ("retire", reason.clone()),
            Message::Changed(file) => ("changed", file.clone()),
            Message::Forked(pid) => ("forked", pid.to_string()),
        };
        let mut bytes = format!("{word} {rest}").into_bytes();
        bytes.truncate(LARGEST);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (word, rest) = text.split_once(' ')?;
        Some(match word {
            "begin" => Message::Begin(rest.to_owned()),
            "drain" => Message::Drain,
            "quit" => Message::Quit,
            "reopen" => Message::Reopen,
            "ready" => Message::Ready,
            "failed" => {
                let (code, report) = rest.split_once(' ')?;
                Message::Failed(code.parse().ok()?, report.to_owned())
            }
            "retire" => Message::Retire(rest.to_owned()),
            "changed" => Message::Changed(rest.to_owned()),
            "forked" => Message::Forked(rest.parse().ok()?),
            _ => return None,
        })
    }
}

impl Control {
    /// Two ends: this process's, which never waits, and the one for a child's standard input.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
        Ok((Control(ours), theirs))
    }

    /// The end that this process was given as its standard input, and the first message, whose descriptors include the
    /// true standard input, the first of them; that is put in its place.
    ///
    /// # Errors
    /// Nobody has given one: somebody has typed the command by hand.
    pub(super) fn from_stdin() -> io::Result<(Self, String, Vec<OwnedFd>)> {
        let control = Control(io::stdin().as_fd().try_clone_to_owned()?);
        let mut descriptors = Vec::new();
        match control.receive_with(&mut descriptors)? {
            Some(Message::Begin(text)) if !descriptors.is_empty() => {
                rustix::stdio::dup2_stdin(descriptors.remove(0))?;
                Ok((control, text, descriptors))
            }
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "not a supervisor's first message")),
        }
    }

    /// Waits until there is something to receive, or this time is over.
    pub(super) fn wait(&self, patience: Option<Duration>) {
        let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
        // A signal is no answer. Whatever else ends the waiting, receiving tells.
        let _ = retry_on_intr(|| poll(&mut [PollFd::new(&self.0, PollFlags::IN)], patience.as_ref()));
    }

    /// Says something. The other side may be gone; its end is noticed elsewhere.
    pub(super) fn send(&self, message: &Message) {
        if let Err(error) = self.send_with(message, &[]) {
            tracing::debug!("cannot tell the other process {message:?}: {error}");
        }
    }

    /// Says something, and hands over descriptors.
    pub(super) fn send_with(&self, message: &Message, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors"));
        }
        sendmsg(&self.0, &[IoSlice::new(&message.encode())], &mut ancillary, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// The next message; none when the other end is closed.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if there is none yet.
    pub(super) fn receive(&self) -> io::Result<Option<Message>> {
        self.receive_with(&mut Vec::new())
    }

    /// The same, with the descriptors that come with it.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if there is none yet.
    pub(super) fn receive_with(&self, descriptors: &mut Vec<OwnedFd>) -> io::Result<Option<Message>> {
        let mut bytes = vec![0; LARGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(&self.0, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(handed_over) = message {
                descriptors.extend(handed_over);
            }
        }
        if received.bytes == 0 {
            return Ok(None);
        }
        let unknown = || io::Error::new(io::ErrorKind::InvalidData, "an unknown message");
        Message::decode(&bytes[..received.bytes]).map(Some).ok_or_else(unknown)
    }
}

/// An end that another process has handed over.
impl From<OwnedFd> for Control {
    fn from(end: OwnedFd) -> Self {
        Control(end)
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_arrives_with_its_descriptors() {
        let (ours, theirs) = Control::pair().unwrap();
        let theirs = Control(theirs);
        let messages = [
            Message::Begin("1 2".into()),
            Message::Failed(3, "Traceback\n  of two lines".into()),
            Message::Retire("it is old".into()),
            Message::Ready,
            Message::Drain,
        ];
        for message in messages {
            theirs.send_with(&message, &[io::stdin().as_fd()]).unwrap();
            let mut descriptors = Vec::new();
            assert_eq!(ours.receive_with(&mut descriptors).unwrap(), Some(message));
            assert_eq!(descriptors.len(), 1);
        }
        assert_eq!(ours.receive().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(theirs);
        assert_eq!(ours.receive().unwrap(), None);
    }
}
