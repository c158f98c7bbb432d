"""Chat templates rendered by Jinja2 in the environment of transformers: golden files for crates/gramask-model/tests.

    pip install jinja2
    python scripts/template-fixtures.py

Writes crates/gramask-model/tests/fixtures/templates.json. Each template is rendered for the same conversations.
"""

import json
from datetime import datetime, timezone
from pathlib import Path

from jinja2 import nodes
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

OUT = Path(__file__).parent.parent / "crates/gramask-model/tests/fixtures/templates.json"

# 2024-07-05 14:03:09 UTC.
NOW = 1720188189

TURNS = """{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"""
OPEN = """{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""

# What comes before the turns, by what it tests.
HEADS = {
    "replace_count": "{{ 'aaa'.replace('a', 'b', 1) }}{{ 'aXbX'.split('X') }}{{ 'a\\n'.splitlines() }}",
    "join": "{{ ', '.join(['a', 'b']) }}",
    "rsplit": "{{ messages[0].content.rsplit('.', 1)[0] }}|{{ 'a b  c'.rsplit(None, 1) }}|{{ ' a b  c '.split(None, 1) }}",
    "partition": "{{ 'k=v=w'.partition('=') | join('/') }}|{{ 'k=v=w'.rpartition('=')[0] }}|{{ 'kv'.rpartition('=')[2] }}",
    "isdigit": "{{ messages[0].content.isdigit() }}{{ '12'.isdigit() }}{{ ''.isdigit() }}{{ 'aB'.isalpha() }}{{ 'a b'.isalnum() }}",
    "index": "{{ 'ab\u00e9ab'.index('b') }}{{ 'ab\u00e9ab'.rindex('b') }}{{ 'abab'.find('x') }}{{ '\u00e9bab'.rfind('b') }}",
    "format": "{{ '{} and {}'.format('a', 1) }}|{{ '{1}{0}{{}}'.format('a', 'b') }}|{{ '{x}!'.format(x='y') }}",
    "percent": "{{ '%s: %d' % (messages[0].role, 3) }}|{{ 'role %s' % messages[0]['role'] }}|{{ '%s' % 'a'|upper }}|{{ 7 % 4 }}",
    "strftime_dash": "{{ 'Today: ' + strftime_now('%A, %B %-d, %Y %j %p %I %-I:%M') + '\\n' }}",
    "tools_not_none": "{% if tools is not none %}tools{% endif %}{% if documents is none %}no documents{% endif %}{{ nothing is defined }}",
    "printed": "{{ none }} {{ true }} {{ [1, 'a', none, false, 1.5] }} {{ {'k': \"it's\", 'n': [true]} }} {{ nothing }}",
    "json": "{{ messages[0] | tojson }}|{{ {'b': [1, '<\u00e9>'], 'a': none} | tojson(indent=2) }}|{{ [] | tojson }}|{{ true | tojson }}",
    "string_filter": "{{ true | string }}{{ [1] | string }}{{ 'a' | string }}",
    "scope": "{% set x = 1 %}{% generation %}{% set x = 2 %}{{ x }}{% endgeneration %}{{ x }}",
    "raw": "{% raw %}{% generation %}{{ 'a' % b }}{% endraw %}{# {% generation %} #}",
}

TEMPLATES = {
    "break": "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% if loop.index > 1 %}{% break %}{% endif %}{% endfor %}" + OPEN,
    "continue": "{% for m in messages %}{% if m['role'] == 'assistant' %}{% continue %}{% endif %}{{ m['content'] }}{% endfor %}" + OPEN,
    "generation": "{% for m in messages %}{% if m['role'] == 'assistant' %}{%- generation -%}  {{ m['content'] }}\n"
    "{%- endgeneration -%}{% else %}{{ '[' + m['role'] + ']' + m['content'] }}{% endif %}{% endfor %}" + OPEN,
    "crlf": "{%- for m in messages %}\r\n    {%- if m['role'] == 'user' %}\r\n[user]\r\n{{ m['content'] }}\r\n"
    "    {%- else %}\r\n[{{ m['role'] }}] {{ m['content'] }}\r\n    {%- endif %}\r\n{%- endfor %}\r\nend\r\n",
    "phi3_drop": "{{ bos_token }}{% for m in messages %}{% if (m['role'] == 'user') %}{{ '<|im_start|>user\n' + m['content'] + '<|im_end|>\n"
    "<|im_start|>assistant\n' }}{% elif (m['role'] == 'assistant') %}{{ m['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}",
} | {name: head + TURNS + OPEN for name, head in HEADS.items()}

CONVERSATIONS = [
    [{"role": "system", "content": "Find entities. Be brief."}, {"role": "user", "content": "Aspirin 100 mg <b>\u00e9</b>"}],
    [
        {"role": "user", "content": "42"},
        {"role": "assistant", "content": " yes"},
        {"role": "user", "content": "a.b.c 'quoted' \"twice\" \\ back"},
    ],
]


class Generation(Extension):
    """`{% generation %}` as transformers has it: a block of its own, whose text is what its body renders."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def refuse(message):
    raise TemplateError(message)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])

    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = refuse
    env.globals["strftime_now"] = lambda form: datetime.fromtimestamp(NOW, timezone.utc).strftime(form)
    return env


def main():
    cases = []
    for name, source in TEMPLATES.items():
        template = environment().from_string(source)
        for messages in CONVERSATIONS:
            expected = template.render(
                messages=messages,
                tools=None,
                documents=None,
                add_generation_prompt=True,
                bos_token="<s>",
                eos_token="</s>",
            )
            cases.append({"template": name, "messages": messages, "expected": expected})
    out = {"now": NOW, "templates": TEMPLATES, "cases": cases}
    OUT.write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{OUT.name}: {len(TEMPLATES)} templates, {len(cases)} cases")


if __name__ == "__main__":
    main()
