//! What a live call can be told by whoever holds its dialog: facts only signalling knows, and what the agent is to do.
//! Where the wish came from (an API, a transfer) is not known here.

use edge_protocol::{EventKind, SipStatus};

use super::Call;
use super::company::{Company, Waiting};
use crate::audio::ringback::{Country, Ringback};
use crate::clock::Moment;

/// One thing a call is told.
#[derive(Debug, Clone, PartialEq)]
pub enum CallCommand {
    /// Signalling knows a fact.
    Note(EventKind),
    /// An outbound call was answered, and the agent begins to speak.
    Begin,
    /// The agent says this in place of what it says or prepares; `Wish::Said` tells when it is over.
    Say(String),
    /// The agent is to know this from its next answer on.
    Instruct(String),
    /// The agent falls silent until it is told otherwise.
    StepAside,
    /// A caller who waits hears how it rings at the one who is called.
    Ring(Country),
    /// The agent comes back, and says this first.
    StepIn { say: Option<String> },
    /// The INVITE of an outbound call was answered with a no; it goes into `CallEnded`.
    NotTaken(SipStatus),
}

impl Call {
    /// Does what it is told. What makes no sense any more (the agent is to speak, but is bridged away) is ignored.
    pub fn command(&mut self, now: Moment, command: CallCommand) {
        if self.ended {
            return;
        }
        let with_agent = matches!(self.company, Company::Agent);
        match command {
            CallCommand::Note(fact) => {
                if fact == EventKind::Answered {
                    self.answered.get_or_insert(now);
                }
                self.out.event(now, fact);
            }
            CallCommand::Begin => {
                self.company = Company::Agent;
                self.conversation.begin_late(now, &mut self.out);
            }
            CallCommand::Say(text) if with_agent => self.conversation.say_now(now, text, &mut self.out),
            CallCommand::Say(_) => self.out.said(),
            CallCommand::Instruct(text) => {
                self.conversation.instruct(&text);
                self.out.event(now, EventKind::InstructionsAdded { text });
            }
            CallCommand::StepAside if with_agent => {
                self.company = Company::Nobody;
                self.conversation.pause(now, &mut self.out);
            }
            CallCommand::Ring(country) if matches!(self.company, Company::Nobody | Company::Waiting(_)) => {
                self.company = Company::Waiting(Box::new(Waiting::new(Ringback::new(country, self.law))));
            }
            CallCommand::StepIn { say } if matches!(self.company, Company::Nobody | Company::Waiting(_)) => {
                self.company = Company::Agent;
                self.conversation.resume(now);
                if let Some(text) = say {
                    self.conversation.say_now(now, text, &mut self.out);
                }
            }
            CallCommand::StepAside | CallCommand::Ring(_) | CallCommand::StepIn { .. } => {}
            CallCommand::NotTaken(status) => self.not_taken = Some(status),
        }
    }
}
