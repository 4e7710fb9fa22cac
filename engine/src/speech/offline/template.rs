//! Replies with variables: `It is {time}.`, checked when read, filled in when said.
//! Where the values come from is `script`.

/// Variables that every reply may use, besides the facts of the file and the slots of the intent's own phrases.
pub const BUILT_IN: [&str; 10] = [
    "time",
    "date",
    "weekday",
    "year",
    "opening_hours",
    "opening_hours_today",
    "opening_hours_week",
    "open_now",
    "last_reply",
    "name",
];

/// A reply, cut at its variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(String),
}

impl Template {
    /// `known` are the names that may stand in braces.
    pub fn parse(text: &str, known: &[&str]) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            let (before, tail) = rest.split_at(open);
            let inside = tail.strip_prefix('{').and_then(|tail| tail.split_once('}'));
            let Some((name, after)) = inside else {
                return Err("a variable is written {name}, with both braces".to_owned());
            };
            if !known.contains(&name) {
                return Err(format!("{{{name}}} is unknown; here there are {{{}}}", known.join("}, {")));
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Variable(name.to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    /// The text, with `value` asked for each variable. Where a value and the text after it both have a full stop
    /// ("3:06 p.m." and "."), one is enough.
    pub fn render(&self, value: impl Fn(&str) -> String) -> String {
        let mut rendered = String::new();
        let mut after_variable = false;
        for part in &self.parts {
            match part {
                Part::Text(text) if after_variable && rendered.ends_with(['.', '!', '?']) => {
                    rendered.push_str(text.strip_prefix('.').unwrap_or(text));
                }
                Part::Text(text) => rendered.push_str(text),
                Part::Variable(name) => rendered.push_str(&value(name)),
            }
            after_variable = matches!(part, Part::Variable(_));
        }
        rendered
    }

    pub fn uses(&self, variable: &str) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Variable(name) if name == variable))
    }
}

#[cfg(test)]
mod tests;
