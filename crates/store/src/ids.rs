//! Ids from sequences, taken in blocks, so that a batch needs no round trip per row.

use std::ops::Range;
use std::sync::Mutex;

use crate::{Db, Error, Result, Rows, Statement, Step, Transaction, statements};

statements! {
    TAKE_BLOCK = "update id_sequence set next = next + $2 where name = $1 returning next - $2";
    RETURN_BLOCK = "update id_sequence set next = $2 where name = $1 and next = $3";
}

/// Hands out the ids of one sequence. Ids are unique and grow on one node; blocks of several nodes
/// interleave, and a crash leaves a gap of at most one block.
pub struct Ids {
    name: &'static str,
    block: i64,
    free: Mutex<Range<i64>>,
    /// Held while a block is taken: whoever waits for it finds the block, and takes none.
    refill: tokio::sync::Mutex<()>,
}

impl Ids {
    /// `block` ids are taken from the database at a time.
    pub fn new(name: &'static str, block: i64) -> Self {
        Self { name, block, free: Mutex::new(0..0), refill: tokio::sync::Mutex::new(()) }
    }

    /// `count` consecutive ids.
    ///
    /// # Errors
    /// When the database cannot give a new block.
    pub async fn take(&self, db: &Db, count: i64) -> Result<Range<i64>> {
        if let Some(ids) = self.take_free(count) {
            return Ok(ids);
        }
        let _refilling = self.refill.lock().await;
        if let Some(ids) = self.take_free(count) {
            return Ok(ids);
        }
        let size = count.max(self.block);
        let start = db.transact(TakeBlock { name: self.name, size }).await?;
        let block_end = start + size;
        let mut free = self.free.lock().expect("no holder of this lock can panic");
        // Blocks that follow each other are one: on a single node there are no gaps.
        let start = if free.end == start { free.start } else { start };
        *free = start + count..block_end;
        Ok(start..start + count)
    }

    fn take_free(&self, count: i64) -> Option<Range<i64>> {
        let mut free = self.free.lock().expect("no holder of this lock can panic");
        (free.end - free.start >= count).then(|| {
            let start = free.start;
            free.start += count;
            start..start + count
        })
    }

    /// Takes back ids that were not used, if they are the newest handed out.
    pub fn give_back(&self, unused: Range<i64>) {
        let mut free = self.free.lock().expect("no holder of this lock can panic");
        if unused.end == free.start {
            free.start = unused.start;
        }
    }

    /// Gives the unused rest of the block back to the database, so that a clean restart leaves no
    /// gap. Nothing happens if another node has taken a block since.
    ///
    /// # Errors
    /// When the database cannot be reached; the ids are then a gap, which harms nothing.
    pub async fn release(&self, db: &Db) -> Result<()> {
        let rest = std::mem::take(&mut *self.free.lock().expect("no holder can panic"));
        if rest.is_empty() {
            return Ok(());
        }
        db.transact(ReturnBlock { name: self.name, rest }).await
    }
}

struct TakeBlock {
    name: &'static str,
    size: i64,
}

impl Transaction for TakeBlock {
    type Output = i64;

    fn name(&self) -> &'static str {
        "take_id_block"
    }

    fn load(&self) -> Vec<Statement> {
        vec![Statement::new(&TAKE_BLOCK, vec![self.name.into(), self.size.into()])]
    }

    fn decide(&self, loaded: &[Rows]) -> Result<Step<i64>> {
        let row = loaded[0].first().ok_or_else(|| {
            Error::other("ids", format!("there is no sequence {:?} in id_sequence", self.name))
        })?;
        Ok(Step::Store(Vec::new(), row.get(0)?))
    }
}

struct ReturnBlock {
    name: &'static str,
    rest: Range<i64>,
}

impl Transaction for ReturnBlock {
    type Output = ();

    fn name(&self) -> &'static str {
        "return_id_block"
    }

    fn load(&self) -> Vec<Statement> {
        Vec::new()
    }

    fn decide(&self, _: &[Rows]) -> Result<Step<()>> {
        let params = vec![self.name.into(), self.rest.start.into(), self.rest.end.into()];
        Ok(Step::Store(vec![Statement::new(&RETURN_BLOCK, params)], ()))
    }
}
