//! The voices that flite has, and which of them stands in for a voice of OpenAI's.
//! Speaking is `flite`.

/// A voice of flite's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Voice {
    Kal16,
    Rms,
    Slt,
    Awb,
}

const NAMES: [(&str, Voice); 17] = [
    ("kal16", Voice::Kal16),
    ("rms", Voice::Rms),
    ("slt", Voice::Slt),
    ("awb", Voice::Awb),
    ("alloy", Voice::Slt),
    ("ash", Voice::Rms),
    ("ballad", Voice::Awb),
    ("cedar", Voice::Rms),
    ("coral", Voice::Slt),
    ("echo", Voice::Rms),
    ("fable", Voice::Awb),
    ("marin", Voice::Slt),
    ("nova", Voice::Slt),
    ("onyx", Voice::Kal16),
    ("sage", Voice::Slt),
    ("shimmer", Voice::Slt),
    ("verse", Voice::Awb),
];

impl Voice {
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, voice)| *voice)
    }

    /// All names that [`Voice::named`] takes.
    pub fn names() -> String {
        NAMES.map(|(name, _)| name).join(", ")
    }

    /// As flite calls it.
    pub fn flite_name(self) -> &'static str {
        match self {
            Self::Kal16 => "kal16",
            Self::Rms => "rms",
            Self::Slt => "slt",
            Self::Awb => "awb",
        }
    }
}
