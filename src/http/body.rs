//! Bodies of requests that their clients must send in time.
//!
//! Only the time is counted in which the node waits for the client: how long it works on what has
//! come is not the client's affair. Whoever sends much gets more time, and whoever sends a byte a
//! minute does not.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Error;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use super::code::Code;
use super::limits;
use super::problem::Problem;

/// Lets the body come as long as its client keeps to the limits, and answers for whoever does not.
pub(super) async fn in_time(request: Request, next: Next) -> Response {
    let late = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&late);
    let request = request.map(|body| Body::new(Timed::new(body, told)));
    let response = next.run(request).await;
    if !late.load(Relaxed) {
        return response;
    }
    let problem = Problem::new(
        Code::SlowBody,
        format!(
            "the body did not come: a client has {:?}, and a second more for each {} bytes",
            limits::BODY,
            limits::BODY_RATE
        ),
        "send it at once and whole, or in parts",
    );
    problem.into_response()
}

/// The client has used up its time.
#[derive(Debug, thiserror::Error)]
#[error("the client is too slow")]
struct Late;

/// A body and what is left of its client's time.
#[derive(Debug)]
struct Timed {
    body: Body,
    left: Duration,
    /// Since when it is waited for, and until when at most.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    /// Whether the time was not enough.
    late: Arc<AtomicBool>,
}

impl Timed {
    fn new(body: Body, late: Arc<AtomicBool>) -> Timed {
        Timed {
            body,
            left: limits::BODY,
            waiting: None,
            late,
        }
    }
}

impl hyper::body::Body for Timed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.late.load(Relaxed) {
            return Poll::Ready(Some(Err(Error::new(Late))));
        }
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                if let Some((since, _)) = self.waiting.take() {
                    self.left = self.left.saturating_sub(since.elapsed());
                }
                let bytes = frame.as_ref().and_then(|frame| frame.as_ref().ok());
                let bytes = bytes.and_then(Frame::data_ref).map_or(0, Bytes::len);
                self.left += Duration::from_secs_f64(bytes as f64 / limits::BODY_RATE);
                Poll::Ready(frame)
            }
            Poll::Pending => {
                let left = self.left;
                let begin = || (Instant::now(), Box::pin(sleep(left)));
                let (_, until) = self.waiting.get_or_insert_with(begin);
                ready!(until.as_mut().poll(context));
                self.late.store(true, Relaxed);
                Poll::Ready(Some(Err(Error::new(Late))))
            }
        }
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
    use axum::body::to_bytes;
    use futures_util::{StreamExt as _, stream};

    use super::*;

    /// What becomes of a body that has so many parts of so many bytes, each after this pause.
    async fn sent(parts: usize, bytes: usize, pause: Duration) -> Result<usize, Error> {
        let parts = stream::iter(0..parts).then(move |_| async move {
            sleep(pause).await;
            Ok::<_, Error>(Bytes::from(vec![0; bytes]))
        });
        let late = Arc::new(AtomicBool::new(false));
        let timed = Timed::new(Body::from_stream(parts), Arc::clone(&late));
        let read = to_bytes(Body::new(timed), usize::MAX).await;
        assert_eq!(read.is_err(), late.load(Relaxed));
        read.map(|all| all.len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_has_a_time_that_grows_with_what_comes_and_not_with_how_often() {
        let second = Duration::from_secs(1);
        assert_eq!(sent(5, 1, second).await.ok(), Some(5));
        assert!(sent(1, 1, limits::BODY * 2).await.is_err());
        // One byte a second for as long as one likes.
        let began = Instant::now();
        assert!(sent(1000, 1, second).await.is_err());
        assert!(began.elapsed() <= limits::BODY + second);
        // A slow line with much to send.
        let rate = limits::BODY_RATE as usize;
        assert_eq!(sent(60, rate, second).await.ok(), Some(60 * rate));
    }
}
