//! stub
use super::handle::Handle;
use super::status::{CallError, Walk};
use crate::ring::{Id, Peer};
pub(super) async fn walk(_: &Handle, _: usize) -> Result<Walk, CallError> {
    Err(CallError::Stopped)
}
pub(super) async fn holders(_: &Handle, _: Id, _: usize) -> Result<Vec<Peer>, CallError> {
    Err(CallError::Stopped)
}
