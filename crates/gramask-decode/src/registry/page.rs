//! What people read of the registry: the table of the documentation, and the lines of the help.

use super::{Levels, Parameter, StrategyDefinition, StrategyName};

/// The table of `docs/strategies.md`, in Markdown.
pub fn strategy_table() -> String {
    let mut table = "| name | level | what it does | parameters (default; range) | what it costs |\n\
                     |---|---|---|---|---|\n"
        .to_owned();
    for StrategyDefinition { name, levels, summary, parameters, cost, .. } in
        StrategyName::all().map(StrategyName::definition)
    {
        let level = match levels {
            Levels::Unconstrained => "none",
            Levels::Constrained => "syntax, grounded",
            Levels::All => "all",
        };
        let line = |parameter: &Parameter| {
            format!("`{}` ({}): {}", parameter.name(), parameter.default_and_range(), parameter.help())
        };
        let parameters = match parameters {
            [] => "-".to_owned(),
            _ => parameters.iter().map(line).collect::<Vec<_>>().join("; "),
        };
        table += &format!("| `{name}` | {level} | {summary} | {parameters} | {cost} |\n");
    }
    table
}

/// A line for each strategy that has parameters: its name, and each parameter with its default and range.
pub fn parameter_lines() -> impl Iterator<Item = String> {
    let definitions = StrategyName::all().map(StrategyName::definition);
    definitions.filter(|definition| !definition.parameters.is_empty()).map(|definition| {
        let parameter = |parameter: &Parameter| format!("{} ({})", parameter.name(), parameter.default_and_range());
        let parameters: Vec<String> = definition.parameters.iter().map(parameter).collect();
        format!("{}: {}", definition.name, parameters.join(", "))
    })
}

#[cfg(test)]
mod tests {
    /// `docs/strategies.md` shows what is registered.
    #[test]
    fn the_page_has_the_table_of_the_registry() {
        let page = include_str!("../../../../docs/strategies.md");
        let table = super::strategy_table();
        assert!(page.contains(&table), "docs/strategies.md needs this table:\n\n{table}");
    }
}
