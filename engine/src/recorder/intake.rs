//! The thread between the shards' rings and the writer: it takes full blocks, and never waits for the disk, so that there are
//! empty ones while the writer does. Opening, writing and closing journals is the writer's.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use super::tap::BlockPool;
use super::writer::{ShardBlocks, Work};
use super::{RecordingId, RecordingMeta};

/// How often the rings are looked at while something is recorded. Shards never wake this thread: that would cost
/// them a system call.
const POLL: Duration = Duration::from_millis(10);

pub(super) enum Command {
    Open(RecordingId, RecordingMeta),
    Finish(RecordingId),
    Stop,
}

pub(super) struct Intake {
    commands: Receiver<Command>,
    pools: Vec<BlockPool>,
    work: Sender<Work>,
    written: Receiver<ShardBlocks>,
    /// Recordings that are open.
    open: usize,
    finished: Vec<RecordingId>,
    stopping: bool,
}

// === impl Intake ===

impl Intake {
    pub(super) fn new(
        commands: Receiver<Command>,
        pools: Vec<BlockPool>,
        work: Sender<Work>,
        written: Receiver<ShardBlocks>,
    ) -> Self {
        Self { commands, pools, work, written, open: 0, finished: Vec::new(), stopping: false }
    }

    /// Runs until told to stop; then the writer gets what there is, and no more.
    pub(super) fn run(mut self) {
        while !self.stopping {
            self.wait();
            // Whoever asked to finish has seen the last block pushed: so blocks first, then the finishing. What is
            // asked for while blocks are taken waits for the next round.
            let finished = std::mem::take(&mut self.finished);
            self.pass_on_blocks();
            self.open = self.open.saturating_sub(finished.len());
            for id in finished {
                self.pass_on(Work::Finish(id));
            }
        }
        self.pass_on_blocks();
    }

    /// Sleeps until the next look at the rings, taking commands as they come.
    fn wait(&mut self) {
        let command = if self.open == 0 {
            self.commands.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            self.commands.recv_timeout(POLL)
        };
        match command {
            Ok(command) => self.obey(command),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => self.stopping = true,
        }
        self.take_commands();
    }

    fn take_commands(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            self.obey(command);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Open(id, meta) => {
                self.open += 1;
                self.pass_on(Work::Open(id, meta));
            }
            Command::Finish(id) => self.finished.push(id),
            Command::Stop => self.stopping = true,
        }
    }

    fn pass_on_blocks(&mut self) {
        let full: Vec<_> = self.pools.iter_mut().map(BlockPool::take_full).collect();
        // A block's recording was opened before the block was begun.
        self.take_commands();
        for (shard, blocks) in full.into_iter().enumerate().filter(|(_, blocks)| !blocks.is_empty()) {
            self.pass_on(Work::Write(ShardBlocks { shard, blocks }));
        }
        let recordings_per_shard = self.open.div_ceil(self.pools.len().max(1));
        while let Ok(ShardBlocks { shard, blocks }) = self.written.try_recv() {
            if let Some(pool) = self.pools.get_mut(shard) {
                blocks.into_iter().for_each(|block| pool.give_back(block, recordings_per_shard));
            }
        }
        for pool in &mut self.pools {
            pool.keep_ready(recordings_per_shard);
        }
    }

    fn pass_on(&self, work: Work) {
        // The writer ends only after this thread.
        let _ = self.work.send(work);
    }
}
