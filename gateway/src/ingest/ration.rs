//! How much a stream may send before it is known whose it is: a hello, and not the megabyte that a
//! sample may have.

use std::{
    error::Error,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tonic::Status;

/// Bytes that a stream may send before it is known whose it is. A hello has eight texts of 253 bytes.
pub const MAX_HELLO_BYTES: usize = 8 * 1024;

/// What a stream may still send. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Ration(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    sent: AtomicUsize,
    lifted: AtomicBool,
}

impl Ration {
    /// It is known whose the stream is: what it may send is bounded elsewhere.
    pub(super) fn lift(&self) {
        self.0.lifted.store(true, Relaxed);
    }

    fn take(&self, bytes: usize) -> Result<(), Status> {
        let sent = self.0.sent.fetch_add(bytes, Relaxed).saturating_add(bytes);
        if sent <= MAX_HELLO_BYTES || self.0.lifted.load(Relaxed) {
            return Ok(());
        }
        Err(Status::resource_exhausted(format!(
            "a stream sends a hello of at most {MAX_HELLO_BYTES} bytes first, and nothing else before \
             that is acknowledged"
        )))
    }
}

/// The body of a request, of which no more is read than its ration.
#[derive(Debug)]
pub(super) struct Rationed<B> {
    pub(super) body: B,
    pub(super) ration: Ration,
}

impl<B> Body for Rationed<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(Into::into)?;
            self.ration.take(frame.data_ref().map_or(0, Bytes::len))?;
            Ok(frame)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, Full};

    use super::*;

    async fn read(bytes: usize, ration: &Ration) -> Result<usize, String> {
        let body = Full::new(Bytes::from(vec![0; bytes]));
        let read = Rationed { body, ration: ration.clone() }.collect().await;
        read.map(|read| read.to_bytes().len()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn no_more_than_a_hello_is_read_of_whoever_is_not_known_yet() {
        let ration = Ration::default();
        assert_eq!(read(MAX_HELLO_BYTES, &ration).await, Ok(MAX_HELLO_BYTES));
        let refused = read(1, &ration).await.unwrap_err();
        assert!(refused.contains("a hello of at most 8192 bytes first"), "{refused}");
        ration.lift();
        assert_eq!(read(1024 * 1024, &ration).await, Ok(1024 * 1024));
    }
}
