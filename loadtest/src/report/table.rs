//! Two-column text tables: a name, then what is to be said about it.
//! Colour and live output are `live`.

use std::fmt;

/// Rows are printed aligned, in the order they were added.
#[derive(Debug, Default)]
pub struct Table(Vec<(String, String)>);

impl Table {
    pub fn row(&mut self, name: impl Into<String>, value: impl fmt::Display) -> &mut Self {
        self.0.push((name.into(), value.to_string()));
        self
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|row| row.0.chars().count()).max().unwrap_or(0);
        for (name, value) in &self.0 {
            writeln!(f, "  {name:width$}  {value}")?;
        }
        Ok(())
    }
}
