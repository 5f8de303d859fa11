"""Reports."""

from pc_hybrid.connection import connect
from pc_hybrid.terminal import Terminal
from pc_hybrid.text import table
from pc_hybrid.work.figures import count, dollars, milliseconds, rating, share
from promptcraft_sdk.client import api
from promptcraft_sdk.client.schemas import AgentPerformance, Summary

_METRICS = ("usage", "performance", "costs", "quality")


def usage(terminal: Terminal, time_range: str) -> None:
    with connect() as client:
        report = client.send(api.insights(time_range=time_range, metrics=_METRICS))
    agents = report.data.agent_performance or ()
    lines = [*_summary_lines(report.data.summary), *(["", *_agent_lines(agents)] if agents else [])]
    terminal.data(report.data, lines, rows=agents, columns=AgentPerformance)
    behind = report.metadata.data_freshness.total_seconds()
    terminal.say(f"{time_range}, {f'behind by {behind:.1f} s' if behind else 'up to date'}")


def performance(terminal: Terminal) -> None:
    with connect() as client:
        now = client.send(api.realtime())
    rows = [
        ("Response time", milliseconds(now.avg_response_time_ms)),
        ("Success", share(now.success_rate)),
        ("Active workflows", count(now.active_workflows)),
        ("Queue length", count(now.queue_length)),
    ]
    terminal.data(now, table(("LAST 5 MINUTES", ""), rows))


def _summary_lines(summary: Summary) -> list[str]:
    rows = [
        ("Queries", count(summary.total_queries)),
        ("Users", count(summary.unique_users)),
        ("Response time", milliseconds(summary.avg_response_time_ms)),
        ("Success", share(summary.success_rate)),
        ("Cost", dollars(summary.total_cost)),
        ("Satisfaction", rating(summary.user_satisfaction)),
        ("Accuracy", share(summary.agent_accuracy)),
    ]
    return list(table(("SUMMARY", ""), rows))


def _agent_lines(agents: tuple[AgentPerformance, ...]) -> list[str]:
    rows = [
        [
            agent.agent_id,
            count(agent.query_count),
            milliseconds(agent.avg_response_time),
            share(agent.success_rate),
            rating(agent.user_rating),
            dollars(agent.cost_per_query),
        ]
        for agent in agents
    ]
    heads = ("AGENT", "QUERIES", "TIME", "SUCCESS", "RATING", "COST/QUERY")
    return list(table(heads, rows, right=heads[1:]))
