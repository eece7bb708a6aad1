//! What the nodes of a host have set aside, for an operator who looks at it, brings it back or drops
//! it. Page by page, between the nodes' own commits. A host without a file has nothing.

use super::handle::{Call, Handle};
use super::hosted::Hosted;
use super::sqlite::{AsideKey, AsidePage, AsideRecord, Database, StoreError};
use super::status::CallError;
use cuerda_core::ring::Id;

impl<P: Hosted> Handle<P> {
    /// What one of its nodes has set aside, in all groups, behind this place; from 0 on all.
    ///
    /// # Errors
    /// As [`Handle::status`], and if the file can't be read.
    pub async fn aside_keys(&self, node: u8, after: i64) -> Result<AsidePage<AsideKey>, CallError> {
        let look = move |file: &mut Database, id| file.aside_keys(id, after);
        self.on_file(node, look).await
    }

    /// The records of one group, behind this place.
    ///
    /// # Errors
    /// As [`Handle::aside_keys`].
    pub async fn aside_records(
        &self,
        node: u8,
        alive: u64,
        after: i64,
    ) -> Result<AsidePage<AsideRecord>, CallError> {
        let look = move |file: &mut Database, id| file.aside_records(id, alive, after);
        self.on_file(node, look).await
    }

    /// Deletes records of a group that were read before: those that stand in these rows.
    ///
    /// # Errors
    /// As [`Handle::status`], and if the file can't be written; then it is as it was.
    pub async fn drop_aside(&self, node: u8, alive: u64, rows: Vec<i64>) -> Result<(), CallError> {
        let delete = move |file: &mut Database, id| file.drop_aside(id, alive, &rows);
        self.on_file(node, delete).await
    }

    /// Deletes the next part of a group, and says what that was.
    ///
    /// # Errors
    /// As [`Handle::drop_aside`].
    pub async fn drop_aside_page(
        &self,
        node: u8,
        alive: u64,
        after: i64,
    ) -> Result<AsidePage<AsideKey>, CallError> {
        let delete = move |file: &mut Database, id| file.drop_aside_page(id, alive, after);
        self.on_file(node, delete).await
    }

    async fn on_file<T: Default + Send + 'static>(
        &self,
        node: u8,
        work: impl FnOnce(&mut Database, Id) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, CallError> {
        let done = self.call(|returns| {
            Call::OnFile(
                node,
                Box::new(move |file| {
                    let done = file.map_or_else(|| Ok(T::default()), |(file, id)| work(file, id));
                    // Whoever asked may be gone.
                    let _ = returns.send(done);
                }),
            )
        });
        done.await?.map_err(CallError::Records)
    }
}
