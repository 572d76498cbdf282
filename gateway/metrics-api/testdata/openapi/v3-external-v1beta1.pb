
3.0.0
	Fluxgauge2v1beta1"ç
·	
M/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/job_failed_countå"â
externalMetrics_v1beta1)Nodes that are up: "online".
Unit: nodes.*2listExternalMetricsV1beta1NamespacedJobFailedCount2I
G
	namespacepath"The namespace of the MiniClusters. R
 Êstring2Ö
Ó
labelSelectorqueryªPicks series by their labels: minicluster=NAME is that of one MiniCluster, queue=batch are those of a queue. Without a queue the values are those of whole Flux instances.R
 ÊstringB®‘
200‰
†
OKÿ
w
application/jsonc
a_
]#/components/schemas/io.k8s.metrics.pkg.apis.external_metrics.v1beta1.ExternalMetricValueList
Š
#application/vnd.kubernetes.protobufc
a_
]#/components/schemas/io.k8s.metrics.pkg.apis.external_metrics.v1beta1.ExternalMetricValueList
w
application/yamlc
a_
]#/components/schemas/io.k8s.metrics.pkg.apis.external_metrics.v1beta1.ExternalMetricValueList;
4004
2
0A Status: a selector or the path cannot be read.[
404T
R
PA Status: there is no such object or metric, or its value is too old or unknown.j
x-kubernetes-actionlist
js
x-kubernetes-group-version-kindPNgroup: external.metrics.k8s.io
kind: ExternalMetricValueList
version: v1beta1

±	
J/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/node_up_countâ"ß
externalMetrics_v1beta1)Nodes that are up: "online".
Unit: nodes.*/listExternalMetricsV1beta1NamespacedNodeUpCount2I
G
	namespacepath"The namespace of the MiniClusters. R
 Êstring2Ö
Ó
labelSelectorqueryªPicks series by their labels: minicluster=NAME is that of one MiniCluster, queue=batch are those of a queue. Without a queue the values are those of whole Flux instances.R
 ÊstringB®‘
200‰
†
OKÿ
w
application/jsonc
a_
]#/components/schemas/io.k8s.metrics.pkg.apis.external_metrics.v1beta1.ExternalMetricValueList
Š
#application/vnd.kubernetes.protobufc
a_
]#/components/schemas/io.k8s.metrics.pkg.apis.external_metrics.v1beta1.ExternalMetricValueList
w
application/yamlc
a_
]#/components/schemas/io.k8s.metrics.pkg.apis.external_metrics.v1beta1.ExternalMetricValueList;
4004
2
0A Status: a selector or the path cannot be read.[
404T
R
PA Status: there is no such object or metric, or its value is too old or unknown.j
x-kubernetes-actionlist
js
x-kubernetes-group-version-kindPNgroup: external.metrics.k8s.io
kind: ExternalMetricValueList
version: v1beta1

ö

G/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/{resource}ª
"§

externalMetrics_v1beta1’Reads the newest values of a metric in a namespace, one for each MiniCluster. Where one value is unknown there is none: an answer is never a part.*-listExternalMetricsV1beta1ExternalMetricValue2I
G
	namespacepath"The namespace of the MiniClusters. R
 Êstring2^
\
resourcepath8The name of the metric: node_up_count, job_failed_count. R
 Êstring2Ö
Ó
labelSelectorqueryªPicks series by their labels: minicluster=NAME is that of one MiniCluster, queue=batch are those of a queue. Without a queue the values are those of whole Flux instances.R
 ÊstringB®‘
200‰
†
OKÿ
w
application/jsonc
a_
]#/components/schemas/io.k8s.metrics.pkg.apis.external_metrics.v1beta1.ExternalMetricValueList
Š
#application/vnd.kubernetes.protobufc
a_
]#/components/schemas/io.k8s.metrics.pkg.apis.external_metrics.v1beta1.ExternalMetricValueList
w
application/yamlc
a_
]#/components/schemas/io.k8s.metrics.pkg.apis.external_metrics.v1beta1.ExternalMetricValueList;
4004
2
0A Status: a selector or the path cannot be read.[
404T
R
PA Status: there is no such object or metric, or its value is too old or unknown.j
x-kubernetes-actionlist
js
x-kubernetes-group-version-kindPNgroup: external.metrics.k8s.io
kind: ExternalMetricValueList
version: v1beta1
*¶
³
à
-io.k8s.apimachinery.pkg.api.resource.Quantity®
«Ú
	ÊstringÚ
	Ênumber’‹A number with a suffix: 1500m is 1.5, 2k is 2000, 1Ki is 1024. Written as text with the shortest digits, and never finer than a thousandth.
™
-io.k8s.apimachinery.pkg.apis.meta.v1.ListMetaç
äÊobjectú·
I
continue=
;Êstring’/Where the next page begins. Not set by metrics.
b
remainingItemCountL
JÊinteger’5Items that follow on later pages. Not set by metrics.šint64
M
resourceVersion:
8Êstring’,The version of the list. Not set by metrics.
7
selfLink+
)Êstring’No longer used by Kubernetes.’What lists say of themselves.
~
)io.k8s.apimachinery.pkg.apis.meta.v1.TimeQ
OÊstring’7A moment as RFC 3339 has it, in UTC with whole seconds.š	date-time
Æ
Dio.k8s.metrics.pkg.apis.external_metrics.v1beta1.ExternalMetricValueý
úº
metricNameºmetricLabelsº	timestampºvalueÊobjectú–
Y

apiVersionK
IÊstring’=Not set inside a list: the list says it for all of its items.
S
kindK
IÊstring’=Not set inside a list: the list says it for all of its items.
m
metricLabels]
[Êobject‚

	Êstring’?The labels that tell this series from the others of the metric.
3

metricName%
#Êstring’The name of the metric.

	timestamp
ŒÒB@
>#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.Time’DWhen the value was known to be right, which may be some seconds ago.
“
value‰
†ÒFD
B#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity’:The value, in the unit of the metric: a count, or seconds.
‰
window
}Êinteger’hSeconds before the timestamp that the value is an average over. Absent: the value is that of one moment.šint64’$One value of one series of a metric.
è
Hio.k8s.metrics.pkg.apis.external_metrics.v1beta1.ExternalMetricValueList›
˜ºitemsÊobjectúÏ
O

apiVersionA
?Êstring’3The group and version in which the list is spelled.
Ä
itemsº
·Êarrayò_
][
Y#/components/schemas/io.k8s.metrics.pkg.apis.external_metrics.v1beta1.ExternalMetricValue’JThe values. A metric that is not known now is an error, not an empty list.
+
kind#
!Êstring’The kind of the list.
‡
metadata{
yÒFD
B#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta’-Empty: metrics have no versions and no pages.’5The newest values of one metric, one for each series.¢y
x-kubernetes-group-version-kindVT- group: external.metrics.k8s.io
  kind: ExternalMetricValueList
  version: v1beta1
