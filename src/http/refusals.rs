//! What the parser of requests refuses, in the words of all other errors.
//!
//! A head that is too long or is none never becomes a request: the library answers it by itself,
//! with a status and nothing else, and ends the connection. That answer is known by its form, which
//! none of ours has, since all our errors have bodies; a problem is sent in its place.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::limits;
use super::problem::{MEDIA_TYPE, Problem};

/// A connection on which the parser's answers are problems.
#[derive(Debug)]
pub(super) struct Refusals<S> {
    stream: S,
    /// Whether the last writing took only a part: then the next begins amid an answer.
    amid: bool,
    /// What is sent in the place of an answer, and how much of it was.
    instead: Option<(Vec<u8>, usize)>,
}

impl<S> Refusals<S> {
    pub(super) fn new(stream: S) -> Refusals<S> {
        Refusals {
            stream,
            amid: false,
            instead: None,
        }
    }
}

/// The status of an answer that has an empty body, if it is an error.
fn bare_error(answer: &[u8]) -> Option<StatusCode> {
    let head = str::from_utf8(answer).ok()?.strip_suffix("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    let status: StatusCode = status.parse().ok()?;
    let empty = lines.any(|line| line.eq_ignore_ascii_case("content-length: 0"));
    (status.is_client_error() && empty).then_some(status)
}

/// The whole answer that says it as a problem.
fn worded(status: StatusCode) -> Vec<u8> {
    let mut problem = Problem::of_status(status);
    if status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE {
        problem.hint = format!(
            "the head of a request has at most {} bytes",
            limits::HEAD_BYTES
        );
    }
    // A problem is text and numbers, which JSON can say.
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {MEDIA_TYPE}\r\nconnection: close\r\ncontent-length: {}\
         \r\n\r\n{body}",
        body.len()
    );
    answer.into_bytes()
}

impl<S: AsyncRead + Unpin> AsyncRead for Refusals<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

// Writing is not vectored: then the library hands an answer over in one piece.
impl<S: AsyncWrite + Unpin> AsyncWrite for Refusals<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Refusals {
            stream,
            amid,
            instead,
        } = &mut *self;
        if instead.is_none() && !*amid {
            *instead = bare_error(bytes).map(|status| (worded(status), 0));
        }
        let Some((answer, sent)) = instead else {
            let written = ready!(Pin::new(stream).poll_write(context, bytes))?;
            *amid = written < bytes.len();
            return Poll::Ready(Ok(written));
        };
        while *sent < answer.len() {
            let written = ready!(Pin::new(&mut *stream).poll_write(context, &answer[*sent..]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *sent += written;
        }
        *instead = None;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[test]
    fn only_errors_without_a_body_are_replaced() {
        let bare = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\
                     content-length: 0\r\ndate: Mon, 01 Jan 2024 00:00:00 GMT\r\n\r\n";
        assert_eq!(bare_error(bare).map(|status| status.as_u16()), Some(431));
        for other in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 12\r\n\r\n",
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\nmore",
            b"la",
            b"\xff\r\n\r\n",
        ] {
            assert_eq!(bare_error(other), None, "{other:?}");
        }
    }

    #[tokio::test]
    async fn what_stands_amid_an_answer_is_sent_as_it_is() {
        let bare = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        // A reader so slow that the second half begins a writing of its own.
        let whole = [&[b'x'; 16][..], bare].concat();
        let (near, mut far) = duplex(16);
        let mut near = Refusals::new(near);
        let writing = tokio::spawn(async move { near.write_all(&whole).await });
        let mut heard = Vec::new();
        far.read_to_end(&mut heard).await.expect("it ends");
        writing
            .await
            .expect("it does not panic")
            .expect("it is read");
        assert!(heard.ends_with(bare));

        let (near, mut far) = duplex(16);
        let mut near = Refusals::new(near);
        let writing = tokio::spawn(async move { near.write_all(bare).await });
        let mut heard = String::new();
        far.read_to_string(&mut heard).await.expect("it ends");
        writing
            .await
            .expect("it does not panic")
            .expect("it is read");
        assert!(
            heard.contains(MEDIA_TYPE) && heard.ends_with('}'),
            "{heard}"
        );
    }
}
