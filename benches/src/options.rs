//! The options of a bench: `--name value`, each with a default.

use std::collections::HashMap;
use std::error::Error;
use std::str::FromStr;

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Options(HashMap<&'static str, String>);

impl Options {
    /// Reads the process's arguments. `cargo bench` adds a `--bench` of its own, which stands for nothing.
    ///
    /// # Errors
    /// An option that is not among the defaults, or without a value.
    pub fn parse(defaults: &[(&'static str, &str)]) -> Result<Options, Box<dyn Error>> {
        Options::from(defaults, std::env::args().skip(1))
    }

    fn from(
        defaults: &[(&'static str, &str)],
        arguments: impl Iterator<Item = String>,
    ) -> Result<Options, Box<dyn Error>> {
        let mut options: HashMap<&'static str, String> =
            defaults.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let mut arguments = arguments.filter(|argument| argument != "--bench");
        while let Some(argument) = arguments.next() {
            let known = || {
                let names: Vec<String> = defaults.iter().map(|(name, value)| format!("--{name} {value}")).collect();
                names.join(", ")
            };
            let option = argument.strip_prefix("--").and_then(|name| options.get_mut(name));
            match (option, arguments.next()) {
                (Some(option), Some(value)) => *option = value,
                (Some(_), None) => return Err(format!("{argument} needs a value").into()),
                (None, _) => return Err(format!("unknown option {argument}; these are known: {}", known()).into()),
            }
        }
        Ok(Options(options))
    }

    /// An option's value; empty where there is no such option.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// An option's values, which have commas between.
    ///
    /// # Errors
    /// Where one of them is none of its type.
    pub fn list<T: FromStr>(&self, name: &str) -> Result<Vec<T>, Box<dyn Error>>
    where
        T::Err: std::fmt::Display,
    {
        let items = self.get(name).split(',').filter(|item| !item.is_empty());
        items.map(|item| item.parse().map_err(|error| format!("--{name} {item}: {error}").into())).collect()
    }

    /// An option's value as a number.
    ///
    /// # Errors
    /// Where it is none.
    pub fn number(&self, name: &str) -> Result<usize, Box<dyn Error>> {
        let value = self.get(name);
        value.parse().map_err(|error| format!("--{name} {value}: {error}").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        let defaults = [("device", "flex"), ("batch", "1,8")];
        Options::from(&defaults, arguments.iter().map(|argument| (*argument).to_owned())).map_err(|e| e.to_string())
    }

    #[test]
    fn options_have_defaults_and_wrong_ones_are_named() {
        let options = parse(&["--bench", "--batch", "64,256"]).unwrap();
        assert_eq!(options.get("device"), "flex");
        assert_eq!(options.list::<usize>("batch").unwrap(), [64, 256]);
        assert!(parse(&["--batch", "x"]).unwrap().list::<usize>("batch").is_err());
        let error = parse(&["--vocab", "3"]).unwrap_err();
        assert!(error.contains("--vocab") && error.contains("--batch 1,8"), "{error}");
        assert!(parse(&["--batch"]).unwrap_err().contains("needs a value"));
    }
}
