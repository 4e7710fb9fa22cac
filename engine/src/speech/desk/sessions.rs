//! The calls that are served by speech-to-speech: one session each, which takes all of the call's commands.
//! What a session does with them is `speech::realtime`'s matter.

use std::collections::HashMap;

use tokio::sync::mpsc;

use crate::call::SpeechCommand;
use crate::shard::CallKey;
use crate::speech::realtime::{Caller, Realtime};

/// Commands that wait for a session. It takes them at once; a call has a few a second at most.
const COMMANDS_WAITING: usize = 32;

/// The sessions' ends on this side, by call.
#[derive(Default)]
pub struct Sessions(HashMap<CallKey, mpsc::Sender<SpeechCommand>>);

// === impl Sessions ===

impl Sessions {
    /// Begins a session for the call, unless it has one.
    pub fn open(&mut self, key: CallKey, realtime: Realtime, caller: impl Caller) {
        self.0.entry(key).or_insert_with(|| {
            let (commands, taken) = mpsc::channel(COMMANDS_WAITING);
            tokio::spawn(realtime.serve(caller, taken));
            commands
        });
    }

    /// Gives a command to the call's session; gives it back if there is none. The call's last command ends it.
    pub fn pass_on(&mut self, key: CallKey, command: SpeechCommand) -> Option<SpeechCommand> {
        let Some(session) = self.0.get(&key) else { return Some(command) };
        let over = command == SpeechCommand::Over;
        let refused = session.try_send(command).err();
        if refused.is_some() {
            tracing::error!("a Realtime session takes no commands any more; the call goes on without it");
        }
        if over || refused.is_some() {
            self.0.remove(&key);
        }
        refused.map(mpsc::error::TrySendError::into_inner)
    }
}
