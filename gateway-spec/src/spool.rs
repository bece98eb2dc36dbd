//! Receiving a request's body whole, before an application that blocks is called.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    process,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::{Bytes, BytesMut};

use crate::{
    Error, Input, Kind, Result, Source,
    blocking::{self, Admission, Blocking, Lane},
};

/// How much is written to the file at once.
const WRITE_BLOCK: usize = 256 * 1024;

/// Disks are as slow as any application, so writing to them is a blocking job like theirs.
pub(crate) static DISK: LazyLock<Arc<Lane>> = LazyLock::new(Lane::plain);

impl Input {
    /// Receives the rest of the body: up to `memory` bytes stay in memory, more goes to a file that has no name. The
    /// result's [`len`](Self::len) is known and reading it never waits for the client.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// # use std::sync::Arc;
    /// /// A body of known length, of which no more than 512 KiB are in memory.
    /// async fn whole(input: Input, host: &Host) -> Result<Input> {
    ///     input.spool(512 * 1024, &host.blocking).await
    /// }
    /// ```
    ///
    /// # Errors
    /// What receiving the body reports; [`Kind::Overloaded`] if there is no room on the disk.
    pub async fn spool(mut self, memory: usize, host: &Arc<dyn Blocking>) -> Result<Input> {
        if self.is_received() {
            return Ok(self);
        }
        let expected = self.len();
        let mut received = BytesMut::new();
        while let Some(block) = self.chunk().await {
            let block = block?;
            // Most bodies are small and come in one block: it is passed on as it is.
            if expected == Some(block.len() as u64) && block.len() <= memory {
                return Ok(block.into());
            }
            received.extend_from_slice(&block);
            if received.len() > memory {
                return self.spool_to_file(received, host).await;
            }
        }
        Ok(received.freeze().into())
    }

    async fn spool_to_file(mut self, mut received: BytesMut, host: &Arc<dyn Blocking>) -> Result<Input> {
        let mut file = nameless_file().map_err(disk_error)?;
        let mut len = 0;
        loop {
            let block = self.chunk().await.transpose()?;
            received.extend_from_slice(block.as_deref().unwrap_or_default());
            if received.len() >= WRITE_BLOCK || block.is_none() {
                let full = std::mem::replace(&mut received, BytesMut::with_capacity(WRITE_BLOCK)).freeze();
                len += full.len() as u64;
                file = append(file, full, host).await?;
            }
            if block.is_none() {
                return Ok(Source::File { file, position: 0, len }.into());
            }
        }
    }
}

async fn append(mut file: File, block: Bytes, host: &Arc<dyn Blocking>) -> Result<File> {
    blocking::run(&**host, DISK.clone(), Admission::Continue, move || file.write_all(&block).map(|()| file))
        .await?
        .map_err(disk_error)
}

fn disk_error(error: io::Error) -> Error {
    Error::with_kind(
        Kind::Overloaded,
        format!("cannot keep the request's body in {}: {error}", env::temp_dir().display()),
    )
}

/// A file in the temporary folder that only this process can reach, and that is gone when it is closed.
fn nameless_file() -> io::Result<File> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = env::temp_dir().join(format!("gateway-{}-{now:x}-{count}", process::id()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}
