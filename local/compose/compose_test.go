// Package compose checks docker-compose.yml with the loader that Docker Compose itself uses. No
// Docker engine is needed.
package compose

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

const root = "../.."

func load(t *testing.T, env ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")}, cli.WithEnv(env), cli.WithWorkingDirectory(root))
	require.NoError(t, err)
	project, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	return project
}

func TestCompose(t *testing.T) {
	t.Run("has_the_whole_system", func(t *testing.T) {
		project := load(t)
		require.ElementsMatch(t, []string{
			"postgresql", "temporal-schema", "temporal", "temporal-namespace", "temporal-ui", "kafka", "s3", "workspace", "setup", "worker", "gateway",
		}, project.ServiceNames())
		for name, service := range project.Services {
			if service.Build == nil {
				_, tag, tagged := strings.Cut(service.Image, ":")
				require.True(t, tagged && tag != "latest", "%s: the image %s has no exact version", name, service.Image)
			}
		}
	})

	// A dependency with the condition "completed" on a service that never ends, or "healthy" on one
	// without a check, would wait for ever.
	t.Run("conditions_can_be_met", func(t *testing.T) {
		project := load(t)
		for name, service := range project.Services {
			for on, dependency := range service.DependsOn {
				target, ok := project.Services[on]
				require.True(t, ok, "%s depends on %s, which is not there", name, on)
				switch dependency.Condition {
				case types.ServiceConditionHealthy:
					require.NotNil(t, target.HealthCheck, "%s waits for the health of %s, which has no check", name, on)
				case types.ServiceConditionCompletedSuccessfully:
					require.NotEqual(t, "unless-stopped", target.Restart, "%s waits for the end of %s, which is started again and again", name, on)
				}
			}
		}
	})

	t.Run("uses_the_names_of_env_example", func(t *testing.T) {
		optional := []string{"TEMPORAL_API_KEY", "PINFLOW_MYSQL_DSN"} // an empty value would be taken for one
		known := documented(t)
		project := load(t)
		for _, name := range []string{"setup", "worker", "gateway", "workspace"} {
			for variable := range project.Services[name].Environment {
				require.True(t, known[variable], "%s: %s does not stand in .env.example", name, variable)
			}
		}
		for variable := range known {
			if _, given := project.Services["worker"].Environment[variable]; !given {
				require.Contains(t, optional, variable, "the worker's container does not get %s", variable)
			}
		}
	})

	t.Run("takes_settings_of_the_user", func(t *testing.T) {
		project := load(t, "PINFLOW_BUCKET=mine", "PINFLOW_USER_ID=0ab336d6fcf7")
		require.Equal(t, "mine", *project.Services["worker"].Environment["PINFLOW_BUCKET"])
		require.Equal(t, "0ab336d6fcf7", *project.Services["gateway"].Environment["PINFLOW_USER_ID"])
	})

	// The worker needs longer to drain than Compose's default of 10 s gives it.
	t.Run("lets_the_worker_drain", func(t *testing.T) {
		grace := load(t).Services["worker"].StopGracePeriod
		require.NotNil(t, grace)
		require.GreaterOrEqual(t, grace.String(), "1m40s")
	})

	// Every image of ours is a target of the Dockerfile.
	t.Run("builds_targets_that_exist", func(t *testing.T) {
		dockerfile, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
		require.NoError(t, err)
		for name, service := range load(t).Services {
			if service.Build != nil {
				require.Regexp(t, `(?m) AS `+regexp.QuoteMeta(service.Build.Target)+`$`, string(dockerfile), name)
			}
		}
	})
}

// documented are the variables of .env.example, also those that stand in a comment.
func documented(t *testing.T) map[string]bool {
	t.Helper()
	file, err := os.Open(filepath.Join(root, ".env.example"))
	require.NoError(t, err)
	defer file.Close()
	names := map[string]bool{}
	variable := regexp.MustCompile(`^(?:# )?([A-Z][A-Z0-9_]+)=`)
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if found := variable.FindStringSubmatch(lines.Text()); found != nil {
			names[found[1]] = true
		}
	}
	require.NoError(t, lines.Err())
	require.NotEmpty(t, names)
	return names
}
